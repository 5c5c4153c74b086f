import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { example, startControl } from '../../../test/control.ts'
import { golden } from '../../../test/golden/golden.ts'
import { toConfigSchema } from './config-schema.ts'

test('docs/schema/config.json is printed from the kinds', () => {
  golden('docs/schema/config.json', `${JSON.stringify(toConfigSchema(), null, 2)}\n`)
})

test('documents that are exported fit the schema, and what no instance would take does not', async () => {
  const ajv = new Ajv2020({ strict: false })
  formats.default(ajv)
  const fits = ajv.compile(toConfigSchema())
  const control = await startControl()
  await example(control)
  for (const auth of [
    { type: 'bearer', token: 'x' },
    { type: 'basic', username: 'u', password: { env: 'SECRET_A' } },
  ])
    await control.run('credentials.create', { name: `Bank ${auth.type}`, auth })
  await control.run('roles.create', { name: 'Publisher', permissions: ['proxies:publish'] })
  await control.run('service_identities.create', { name: 'CI' })
  await control.run('grants.create', { service_identity: 'ci', name: 'All', role: 'publisher' })
  const { output } = await control.run('config.export', {})
  const documents = output['documents'] as { kind: string; spec: object }[]
  assert.ok(new Set(documents.map(({ kind }) => kind)).size >= 9)
  for (const document of documents) assert.ok(fits(document), JSON.stringify([document, fits.errors]))
  await control.close()
  const shop = { name: 'Shop', base_path: '/shop' }
  const of = (spec: object, more: object = {}) => ({ kind: 'collection', slug: 'shop', spec, ...more })
  assert.ok(fits(of({ ...shop, max_body: '$\u007bvar.MAX}', schemas: { A: { type: 'object' } } })))
  for (const wrong of [
    of({ ...shop, max_body: 'much' }),
    of({ ...shop, unknown: 1 }),
    of({ name: 'Shop' }),
    of(shop, { id: 'col_1' }),
    { kind: 'thing', slug: 'a', spec: {} },
  ])
    assert.equal(fits(wrong), false, JSON.stringify(wrong))
})
