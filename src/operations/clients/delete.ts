import { deleteOf } from '../delete-resource.ts'
import { clientKind } from './kind.ts'

/** Takes its profiles and their tokens with it. */
export const deleteClient = deleteOf(clientKind, async (client, context) => {
  for (const profile of await context.whole.all('profiles', client.id)) await context.change.remove(profile)
})
