import { takeDocument } from '../../src/import/descriptions.ts'
import { type Imported, type ImportOptions, toCollection } from '../../src/import/openapi/collection.ts'
import { CollectionSpec } from '../../src/model/api/collection.ts'
import { ProxySpec } from '../../src/model/api/proxy.ts'

/** An operation without anything else. */
export const ok = { responses: { 200: { description: 'ok' } } }

/** Imports a 3.1 description of these paths and checks the result against the model. */
export function imported(paths: object, more: object = {}, options: Partial<ImportOptions> = {}): Imported {
  const document = takeDocument({ openapi: '3.1.0', info: { title: 'T', version: '1' }, paths, ...more })
  const result = toCollection(document, { base_path: '/a', upstream: 'http://127.0.0.1:9', ...options })
  CollectionSpec.parse(result.collection)
  for (const proxy of result.proxies) ProxySpec.parse(proxy)
  return result
}
