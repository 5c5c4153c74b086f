import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AUTH_MODES, createInput, definitionOf, nameFrom } from './definition.ts'

test('a server is asked by its URL and credential, a program by its entry, a collection by its slug', () => {
  assert.deepEqual(
    definitionOf({ kind: 'http', place: ' https://mcp.example.com/mcp ', credential: 'desk-key' }),
    { kind: 'http', url: 'https://mcp.example.com/mcp', credential: 'desk-key' },
  )
  assert.deepEqual(definitionOf({ kind: 'stdio', place: 'files', credential: 'desk-key' }), {
    kind: 'stdio',
    entry: 'files',
  })
  assert.deepEqual(definitionOf({ kind: 'collection', place: 'orders', credential: '' }), {
    kind: 'collection',
    collection: 'orders',
  })
})

test('the name is what the server calls itself, else the part of its host that names a product', () => {
  const at = (place: string) => ({ kind: 'http', place, credential: '' }) as const
  assert.equal(nameFrom(at('https://mcp.example.com/mcp'), 'Example Desk'), 'Example Desk')
  assert.equal(nameFrom(at('https://mcp.example.com/mcp'), null), 'example')
  assert.equal(nameFrom(at('https://mcp.eu.example.com/mcp'), ' '), 'example')
  assert.equal(nameFrom(at('http://desk:9000/mcp'), null), 'desk')
  assert.equal(nameFrom(at('http://localhost:9000/mcp'), null), '')
  assert.equal(nameFrom(at('http://127.0.0.1:9000/mcp'), null), '')
  assert.equal(nameFrom(at('http://[::1]:9000/mcp'), null), '')
  assert.equal(nameFrom(at('no url'), null), '')
  assert.equal(nameFrom({ kind: 'stdio', place: 'files', credential: '' }, null), 'files')
})

test('what keeps its default is not sent; a server that did not answer is saved without being asked again', () => {
  const asked = { kind: 'http', place: 'https://mcp.example.com/mcp', credential: '' } as const
  assert.deepEqual(createInput(asked, { name: ' Desk ', mode: 'static', isAsked: true }), {
    name: 'Desk',
    kind: 'http',
    url: 'https://mcp.example.com/mcp',
  })
  assert.deepEqual(createInput(asked, { name: 'Desk', mode: 'user_oauth', isAsked: false }), {
    name: 'Desk',
    kind: 'http',
    url: 'https://mcp.example.com/mcp',
    auth_mode: 'user_oauth',
    probe: false,
  })
  assert.equal(new Set(AUTH_MODES.map(({ mode }) => mode)).size, AUTH_MODES.length)
})
