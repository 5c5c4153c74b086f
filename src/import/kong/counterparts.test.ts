import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goldenPart } from '../../../test/golden/golden.ts'
import { counterpartTables, ENTITIES, PLUGINS } from './counterparts.ts'
import { fromKong } from './kong.ts'

test('docs/kong.md has the entities and plugins that the conversion knows', () => {
  const { entities, plugins } = counterpartTables()
  goldenPart('docs/kong.md', 'entities', entities)
  goldenPart('docs/kong.md', 'plugins', plugins)
})

test('every plugin of the table does what the table says, at a service and at a consumer', () => {
  for (const [name, { is }] of Object.entries(PLUGINS)) {
    const services = [
      { name: 's', url: 'http://a.example', routes: [{ name: 'r', paths: ['/a'] }], plugins: [{ name }] },
    ]
    const { documents, report } = fromKong({ services, consumers: [{ username: 'c', plugins: [{ name }] }] })
    const status = documents.find(({ kind }) => kind === 'collection')?.spec['status']
    // Without options those that are read say nothing, except that of CORS and of sizes, which have defaults
    const isOpen = is === 'auth' || is === 'observes' || ['cors', 'request-size-limiting'].includes(name)
    assert.equal(status, isOpen ? 'published' : 'draft', name)
    const client = documents.find(({ kind }) => kind === 'client')?.spec
    assert.equal(client?.['active'] === false, is !== 'observes', name)
    assert.ok(
      report?.some((row) => row.part === 'plugin' && row.name === `${name} of service s`),
      name,
    )
  }
})

test('every entity that is left out is named with its reason, and closes what it names', () => {
  for (const [name, { is, here }] of Object.entries(ENTITIES)) {
    if (is !== 'left out') continue
    const services = [{ name: 's', url: 'http://a.example', routes: [{ name: 'r', paths: ['/a'] }] }]
    const { documents, report, exact } = fromKong({
      services,
      plugins: [{ name: 'key-auth' }],
      [name]: [{ id: 'x', route: { name: 'r' } }],
    })
    assert.equal(exact, false)
    assert.deepEqual(
      report?.find((row) => row.part === name),
      { part: name, name: '', result: 'left_out', reason: here },
    )
    const proxies = documents.filter(({ kind }) => kind === 'proxy')
    if (name === 'oauth2_tokens') continue
    assert.ok(
      proxies.every(({ spec }) => spec['status'] === 'draft') ||
        documents.find(({ kind }) => kind === 'collection')?.spec['status'] === 'draft',
      name,
    )
  }
})
