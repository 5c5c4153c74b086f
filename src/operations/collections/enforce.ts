import { z } from 'zod'
import { refersTo } from '../../model/annotations.ts'
import { Ref } from '../../model/members.ts'
import { CHANGE_REFUSES, define } from '../engine/define.ts'
import { viewOf } from '../engine/views.ts'
import { replaceResource } from '../engine/write-resource.ts'
import { proxyKind } from '../proxies/kind.ts'
import { collectionKind } from './kind.ts'

export const enforceCollection = define({
  resource: 'collections',
  action: 'enforce',
  effect: 'act',
  tool: 'enforce_contract',
  group: 'manage_collections',
  summary:
    'Enforce the contract of a collection and of its proxies in report mode. First run contract-report to see which calls would be refused',
  input: z.strictObject({ id: Ref }),
  output: z.object({
    collection: collectionKind.view,
    proxies: z
      .array(z.string().meta(refersTo('proxies')))
      .describe('Slugs of the proxies changed from report to inherit'),
    off: z.int().describe('Number of proxies with validation off, which do not change'),
  }),
  permission: 'collections:update',
  refuses: CHANGE_REFUSES,
  sentences,
  columns: ['collection.slug', 'collection.request_validation', 'proxies', 'off'],
  subject: (input, output) => ({
    type: collectionKind.noun,
    // The view of a stored collection has both.
    id: (output?.collection['id'] as string | undefined) ?? null,
    slug: (output?.collection['slug'] as string | undefined) ?? input.id,
  }),
  handle: async ({ id }, context) => {
    const collection = await context.change.act('collections', id)
    const proxies = await context.reader.all('proxies', collection.id)
    const reporting = proxies.filter(({ spec }) => spec['request_validation'] === 'report')
    for (const proxy of reporting)
      await replaceResource(context, proxyKind, proxy, { ...proxy.spec, request_validation: 'inherit' })
    if (collection.spec['request_validation'] !== 'enforce')
      await replaceResource(context, collectionKind, collection, {
        ...collection.spec,
        request_validation: 'enforce',
      })
    const stored = (await context.reader.byId('collections', collection.id)) ?? collection
    return {
      collection: await viewOf(context.reader, collectionKind, stored),
      proxies: reporting.map(({ slug }) => slug),
      off: proxies.filter(({ spec }) => spec['request_validation'] === 'off').length,
    }
  },
})

function sentences(output: Readonly<Record<string, unknown>>): string[] {
  const { slug } = output['collection'] as { readonly slug: string }
  const proxies = output['proxies'] as readonly string[]
  const off = Number(output['off'])
  return [
    `The collection ${slug} now refuses requests that break its contract.`,
    ...(proxies.length === 0
      ? []
      : [`Changed from report to the mode of the collection: ${proxies.join(', ')}.`]),
    ...(off === 0
      ? []
      : [
          `Still without validation (request_validation is off): ${off === 1 ? '1 proxy' : `${off} proxies`}. To list them: postern proxies list --collection ${slug} --all -o json`,
        ]),
  ]
}
