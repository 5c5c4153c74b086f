import { z } from 'zod'
import { Ref } from '../../model/members.ts'
import { about, define } from '../engine/define.ts'
import { fromCursor, page, pageOf, toCursor } from '../engine/lists.ts'
import { viewsOf } from '../engine/views.ts'
import { proxyKind } from '../proxies/kind.ts'
import { collectionKind } from './kind.ts'

export const getCollectionProxies = define({
  resource: 'collections',
  action: 'proxies',
  effect: 'read',
  tool: 'get_collection_proxies',
  group: 'manage_collections',
  summary: 'List the proxies of a collection, oldest first',
  input: z.strictObject({ id: Ref, ...page }),
  output: pageOf(proxyKind.view),
  permission: 'proxies:read',
  refuses: ['not_found'],
  columns: proxyKind.columns,
  ...about(collectionKind),
  handle: async ({ id, limit, cursor }, context) => {
    const collection = await context.find('collections', id)
    const after = cursor === undefined ? {} : { after: fromCursor(cursor, /^prx_[0-9a-z]{26}$/) }
    const found = await context.reader.list({
      type: 'proxies',
      parent: collection.id,
      limit: limit + 1,
      ...after,
    })
    const items = found.slice(0, limit)
    return {
      items: await viewsOf(context.reader, proxyKind, items),
      next_cursor: found.length > limit ? toCursor(items.at(-1)!.id) : null,
    }
  },
})
