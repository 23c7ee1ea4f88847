/**
 * A second opinion on dumps of tables, written without regard to ours: walks two dumps as JSON and tells what a stream of the
 * first does not find in the second. What it looks at is what is on the wire: versions, order, names and sizes of fields.
 */

type Json = object;

interface Entry {
  readonly Description?: Description;
}

interface Field {
  readonly field: string;
  readonly size: number;
  readonly version_id: number;
  readonly Description?: Description;
}

interface Description {
  readonly name: string;
  readonly version_id: number;
  readonly minimum_version_id: number;
  readonly Fields?: readonly Field[];
  readonly Subsections?: readonly Description[];
}

/** Incompatibilities of what `from` sends and `to` loads, one line each; devices that only one has are left out. */
export function checkDumps(from: Json, to: Json): string[] {
  const lines: string[] = [];
  const others = new Map(Object.entries(to));
  for (const [device, entry] of Object.entries(from)) {
    const other = others.get(device) as Entry | undefined;
    if (device === 'vmschkmachine' || other === undefined) continue;
    const [sent, loaded] = [(entry as Entry).Description, other.Description];
    if (sent !== undefined && loaded !== undefined) descriptions(device, sent, loaded, lines);
  }
  return lines;
}

function descriptions(where: string, sent: Description, loaded: Description, lines: string[]): void {
  if (sent.version_id > loaded.version_id)
    lines.push(`${where}: version ${sent.version_id} is newer than ${loaded.version_id}`);
  if (sent.version_id < loaded.minimum_version_id)
    lines.push(`${where}: version ${sent.version_id} is older than ${loaded.minimum_version_id}`);
  fields(where, sent, loaded, lines);
  for (const subsection of sent.Subsections ?? []) {
    const other = loaded.Subsections?.find(({ name }) => name === subsection.name);
    if (other === undefined) lines.push(`${where}: subsection ${subsection.name} is not known`);
    else descriptions(`${where}/${subsection.name}`, subsection, other, lines);
  }
}

/** Bytes of a table that are on the wire: how they are cut into fields does not matter, and names are no bytes. */
function fields(where: string, sent: Description, loaded: Description, lines: string[]): void {
  // A structure's size is that of the variable; what it puts on the wire is in its own table.
  const total = ({ Fields = [], version_id: version }: Description): number =>
    Fields.filter(({ version_id: since }) => since <= version).reduce(
      (sum, { size, Description: inner }) => sum + (inner === undefined ? size : total(inner)),
      0,
    );
  if (total(sent) !== total(loaded)) lines.push(`${where}: ${total(sent)} bytes are sent and ${total(loaded)} loaded`);
}
