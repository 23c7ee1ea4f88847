import { parseObject } from '@sterna/core';
import { objectsOf } from '../commands/object-commands.ts';
import { type HmpCommand, hmpCommand, needed } from './define-hmp.ts';

/** Commands of the human monitor about user-creatable objects. */
export const HMP_OBJECT_COMMANDS: readonly HmpCommand[] = [
  hmpCommand(
    ['object_add'],
    '[qom-type=]type,id=str[,prop=value][,...]',
    'makes an object: TLS credentials, a secret, an access list',
    ({ target }, args) => objectsOf(target).add(parseObject(needed(args[0], 'type') && args.join(' '), 'object_add')),
  ),
  hmpCommand(['object_del'], 'id', 'removes an object', ({ target }, [id]) =>
    objectsOf(target).remove(needed(id, 'id')),
  ),
];
