import { Connection, viewsOf } from '../connections/view.ts'
import { definePart } from './part.ts'

/** Connections of one user that are read at once. */
const ALL = 10_000

export const connectionsPart = definePart({
  name: 'connections',
  permission: 'users:read',
  item: Connection.omit({ user: true }),
  columns: ['origin', 'kind', 'state', 'active', 'account_label'],
  show: async ({ user }, { whole }) => {
    const found = await whole.connections.list({ user: user.id }, ALL)
    return (await viewsOf(whole, found)).map(({ user: _, ...shown }) => shown)
  },
  end: async ({ id }, { whole, change }) => {
    const found = await whole.connections.list({ user: id }, ALL)
    const slugs = await whole.slugs(found.map(({ origin }) => origin))
    for (const { origin } of found) await change.endConnection(id, origin)
    return found.map(({ origin }) => slugs.get(origin) ?? origin)
  },
})
