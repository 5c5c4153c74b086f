import { z } from 'zod'
import { proxyKind } from '../proxies/kind.ts'
import { publishOf, setStatus } from '../publish.ts'
import { collectionKind } from './kind.ts'

export const publishCollection = publishOf(
  collectionKind,
  { cascade: z.boolean().default(false).describe('Does the same to all its proxies') },
  async (collection, input, context) => {
    if (input['cascade'] !== true) return
    context.require('proxies:publish')
    const status = input['status'] === 'draft' ? 'draft' : 'published'
    for (const proxy of await context.whole.all('proxies', collection.id))
      await setStatus(proxyKind, proxy, status, context)
  },
)
