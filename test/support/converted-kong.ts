/** Configurations of Kong as documents, and what of them is open. */
import assert from 'node:assert/strict'
import type { Plain } from '../../src/base/json/storable.ts'
import type { Converted } from '../../src/import/converted.ts'
import { fromKong } from '../../src/import/kong/kong.ts'
import { judged } from './converted.ts'

export const converted = (document: Plain): Converted => judged(fromKong(document))

/** What leaves the conversion for people: all but the keys. */
export const shown = ({ keys: _, ...made }: Converted): string => JSON.stringify(made)

/** One service at `/a` with the members given. */
export function one(service: Plain, more: Plain = {}, route: Plain = {}): Converted {
  const routes = [{ name: 'r', paths: ['/a'], ...route }]
  const services = [{ name: 's', url: 'http://a.example', routes, ...service }]
  const consumers = [
    { username: 'c', keyauth_credentials: [{ key: 'key-of-consumer-c' }], acls: [{ group: 'gold' }] },
  ]
  return converted({ _format_version: '3.0', services, consumers, ...more })
}

/** Status of the collection at a base path, or null where there is none. */
export function statusAt({ documents }: Converted, base: string): unknown {
  const collections = documents.filter(
    ({ kind, spec }) => kind === 'collection' && spec['base_path'] === base,
  )
  assert.ok(collections.length <= 1)
  return collections[0]?.spec['status'] ?? null
}

/** True where something at the base path would be answered once the documents are applied. */
export function isOpen(made: Converted, base: string): boolean {
  const slugs = made.documents
    .filter(
      ({ kind, spec }) =>
        kind === 'collection' && spec['base_path'] === base && spec['status'] === 'published',
    )
    .map(({ slug }) => slug)
  return made.documents.some(
    ({ kind, spec }) =>
      kind === 'proxy' && slugs.includes(String(spec['collection'])) && spec['status'] === 'published',
  )
}

/** Slugs of the proxies that are published, whatever their collection is. */
export function openProxies({ documents }: Converted): string[] {
  return documents
    .filter(({ kind, spec }) => kind === 'proxy' && spec['status'] === 'published')
    .map(({ slug }) => slug)
}
