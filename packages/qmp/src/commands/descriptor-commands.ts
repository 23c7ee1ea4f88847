import { QmpError } from '../errors.ts';
import { type TypeOf, t } from '../schema/types.ts';
import { type CommandContext, defineCommand, NOTHING, noArguments, nothing } from './define-command.ts';

/** Answer of `add-fd`. */
export const ADDFD_INFO = t.object({ 'fdset-id': t.int, fd: t.int });
/** An element of `query-fdsets`' answer. */
export const FDSET_INFO = t.object({
  'fdset-id': t.int,
  fds: t.array(t.object({ fd: t.int, opaque: t.optional(t.str) })),
});

/** Result of `add-fd`. */
export type AddfdInfo = TypeOf<typeof ADDFD_INFO>;
/** Element of `query-fdsets`' result. */
export type FdsetInfo = TypeOf<typeof FDSET_INFO>;

/** The descriptor that came with the command. */
function passed({ takeDescriptor }: CommandContext): number {
  const fd = takeDescriptor();
  if (fd === undefined) throw new QmpError('GenericError', 'No file descriptor supplied via SCM_RIGHTS');
  return fd;
}

function store({ target }: CommandContext) {
  if (target.descriptors !== undefined) return target.descriptors;
  throw new QmpError('GenericError', 'this machine has no place for descriptors', 'STERNA_ERR_UNSUPPORTED');
}

/** Commands about file descriptors that the client passes over its unix socket. */
export const descriptorCommands = {
  getfd: defineCommand({
    help: 'Keeps the passed descriptor under a name, for `fd:NAME`',
    arguments: t.object({ fdname: t.str }),
    returns: nothing,
    run(context, { fdname }) {
      store(context).add(fdname, passed(context));
      return NOTHING;
    },
  }),
  closefd: defineCommand({
    help: 'Closes a descriptor that was passed under a name',
    arguments: t.object({ fdname: t.str }),
    returns: nothing,
    run(context, { fdname }) {
      store(context).close(fdname);
      return NOTHING;
    },
  }),
  'add-fd': defineCommand({
    help: 'Adds the passed descriptor to a set, for `/dev/fdset/N`',
    arguments: t.object({ 'fdset-id': t.optional(t.int), opaque: t.optional(t.str) }),
    returns: ADDFD_INFO,
    run(context, { 'fdset-id': id, opaque }) {
      const fd = passed(context);
      return { fd, 'fdset-id': store(context).addToSet(fd, id, opaque) };
    },
  }),
  'remove-fd': defineCommand({
    help: 'Closes one descriptor of a set, or the whole set',
    arguments: t.object({ 'fdset-id': t.int, fd: t.optional(t.int) }),
    returns: nothing,
    run(context, { 'fdset-id': id, fd }) {
      store(context).removeFromSet(id, fd);
      return NOTHING;
    },
  }),
  'query-fdsets': defineCommand({
    help: 'The sets of descriptors',
    arguments: noArguments,
    returns: t.array(FDSET_INFO),
    run: (context) =>
      store(context).sets.map(({ id, fds }) => ({
        'fdset-id': id,
        fds: fds.map(({ fd, opaque }) => ({ fd, ...(opaque === undefined ? {} : { opaque }) })),
      })),
  }),
};
