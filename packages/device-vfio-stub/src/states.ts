/**
 * The migration states of a VFIO device and the ways between them, as the
 * kernel defines them (include/uapi/linux/vfio.h, Linux 6.12,
 * `enum vfio_device_mig_state`).
 *
 * A driver implements single arcs; a request for a distant state is walked
 * arc by arc. Which way is fixed by two rules: it is the shortest, and it does
 * not pass through a saving state on the way between two others, since that
 * would open a data session that nobody reads.
 */

/** The states with the numbers they have in the kernel's interface and in `VFIO_MIGRATION` events. */
export const VFIO_STATES = {
  ERROR: 0,
  STOP: 1,
  RUNNING: 2,
  STOP_COPY: 3,
  RESUMING: 4,
  RUNNING_P2P: 5,
  PRE_COPY: 6,
  PRE_COPY_P2P: 7,
} as const;
/** Name of a migration state. */
export type VfioState = keyof typeof VFIO_STATES;

/** Optional parts of the interface (VFIO_MIGRATION_P2P, VFIO_MIGRATION_PRE_COPY). */
export interface VfioFeatures {
  /** The states RUNNING_P2P and PRE_COPY_P2P exist. */
  readonly p2p: boolean;
  /** The states PRE_COPY and PRE_COPY_P2P exist. */
  readonly preCopy: boolean;
}

/** Every arc a driver with all features implements. ERROR is never a destination that can be asked for. */
export const VFIO_ARCS: Readonly<Record<VfioState, readonly VfioState[]>> = {
  ERROR: [],
  STOP: ['RUNNING_P2P', 'STOP_COPY', 'RESUMING'],
  RUNNING: ['RUNNING_P2P', 'PRE_COPY'],
  STOP_COPY: ['STOP'],
  RESUMING: ['STOP'],
  RUNNING_P2P: ['RUNNING', 'STOP', 'PRE_COPY_P2P'],
  PRE_COPY: ['RUNNING', 'PRE_COPY_P2P'],
  PRE_COPY_P2P: ['PRE_COPY', 'RUNNING_P2P', 'STOP_COPY'],
};

/** States in which a data session for saving is open. */
export function isSaving(state: VfioState): boolean {
  return state === 'PRE_COPY' || state === 'PRE_COPY_P2P' || state === 'STOP_COPY';
}

/** States in which data can be read while the device works. */
export function isPreCopy(state: VfioState): boolean {
  return state === 'PRE_COPY' || state === 'PRE_COPY_P2P';
}

/** States in which the device works. */
export function isWorking(state: VfioState): boolean {
  return state === 'RUNNING' || state === 'RUNNING_P2P' || isPreCopy(state);
}

/** Whether a device with these features has the state at all. */
export function hasState(state: VfioState, features: VfioFeatures): boolean {
  if (isPreCopy(state) && !features.preCopy) return false;
  return (state !== 'RUNNING_P2P' && state !== 'PRE_COPY_P2P') || features.p2p;
}

/**
 * The states that a request passes, the wanted one last; empty when the device is there already. States that the
 * device does not have are stepped over.
 *
 * @returns undefined when the request is refused: the state does not exist, the device is in ERROR, or a final copy
 *   would have to become a running one
 */
export function statePath(from: VfioState, to: VfioState, features: VfioFeatures): readonly VfioState[] | undefined {
  if (from === 'ERROR' || to === 'ERROR' || !hasState(to, features)) return undefined;
  if (from === 'STOP_COPY' && isPreCopy(to)) return undefined;
  return PATHS[from][to]?.filter((state) => hasState(state, features));
}

type Paths = Readonly<Record<VfioState, Readonly<Partial<Record<VfioState, readonly VfioState[]>>>>>;

const NAMES = Object.keys(VFIO_STATES) as VfioState[];
const PATHS = Object.fromEntries(NAMES.map((from) => [from, shortestPaths(from)])) as Paths;

/** Breadth first over the arcs; a saving state is passed through only between two saving states. */
function shortestPaths(from: VfioState): Partial<Record<VfioState, readonly VfioState[]>> {
  const paths: Partial<Record<VfioState, readonly VfioState[]>> = { [from]: [] };
  for (const to of NAMES) {
    const mayPass = (state: VfioState) => !isSaving(state) || (isSaving(from) && isSaving(to));
    const queue: (readonly VfioState[])[] = [[]];
    const seen = new Set<VfioState>([from]);
    for (let path = queue.shift(); path !== undefined && paths[to] === undefined; path = queue.shift()) {
      for (const next of VFIO_ARCS[path.at(-1) ?? from]) {
        if (next === to) paths[to] ??= [...path, next];
        if (seen.has(next) || !mayPass(next)) continue;
        seen.add(next);
        queue.push([...path, next]);
      }
    }
  }
  return paths;
}
