/** Pages that are the usual way to something new, in the words of their buttons. Lists and the palette offer them. */
import type { Way } from '../app/commands.ts'

export const ADD_SERVER: Way = { label: 'Add a server', to: '/origins/add', does: 'origins.create' }
export const IMPORT: Way = {
  label: 'Import a description',
  to: '/collections/import',
  does: 'collections.import',
}
export const ROTATE_KEYS: Way = { label: 'Rotate the keys', to: '/run/keys.rotate', does: 'keys.rotate' }

export const WAYS: readonly Way[] = [ADD_SERVER, IMPORT, ROTATE_KEYS]
