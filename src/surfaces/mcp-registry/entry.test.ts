import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ListedMcp } from '../../operations/virtual-mcps/listed.ts'
import { entryOf, namespaceOf } from './answer.ts'

const listed = (more: Partial<ListedMcp> = {}): ListedMcp => ({
  slug: 'desk',
  name: 'Desk',
  description: '',
  icons: [],
  revision: 3,
  updated_at: '2026-05-01T00:00:00.000Z',
  ...more,
})
const serverOf = (more: Partial<ListedMcp>) =>
  entryOf(listed(more), 'com.example', 'https://example.com').server
const lengthOf = (text: unknown): number => [...String(text)].length

test('names begin with the host of the gateway in reverse order', () => {
  for (const [origin, namespace] of [
    ['https://gateway.example.com', 'com.example.gateway'],
    ['https://gateway.example.com.:8443', 'com.example.gateway'],
    ['http://localhost:8080', 'localhost'],
    ['http://my_host.internal', 'internal.my-host'],
    ['http://192.0.2.1:8080', 'arpa.in-addr.192.0.2.1'],
    ['http://[2001:db8::1]:8080', 'arpa.ip6.2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1'],
  ] as const)
    assert.equal(namespaceOf(origin), namespace, origin)
})

test('a long host keeps its first domains, so that each name fits the schema', () => {
  const namespace = namespaceOf(`https://${'a-long-label.'.repeat(18)}example.com`)
  assert.match(namespace, /^com\.example\.a-long-label\./)
  const { name } = entryOf(listed({ slug: 'x'.repeat(63) }), namespace, 'https://example.com').server
  assert.ok(String(name).length <= 200)
})

test('texts that do not fit the schema are cut or left out, and the entry stays', () => {
  const long = serverOf({ name: 'N'.repeat(101), description: `${'word '.repeat(40)}end` })
  assert.equal('title' in long, false)
  assert.equal(lengthOf(long['description']), 100)
  assert.match(String(long['description']), /^word word .*…$/)
  assert.equal(serverOf({ description: ' two\r\n\tlines\u0000 ' })['description'], 'two lines')
  assert.equal(serverOf({ description: '' })['description'], 'Desk')
  assert.equal(serverOf({ name: '\u0001' })['description'], 'desk')
})

test('icons are written as server.json has them, without what is not said', () => {
  const icon = { src: 'https://example.com/a.png', mime_type: null, sizes: [], theme: null }
  const full = {
    src: 'https://example.com/b.svg',
    mime_type: 'image/svg+xml',
    sizes: ['any'],
    theme: 'dark',
  } as const
  assert.deepEqual(serverOf({ icons: [icon, { ...full, sizes: ['any'] }] })['icons'], [
    { src: 'https://example.com/a.png' },
    { src: 'https://example.com/b.svg', mimeType: 'image/svg+xml', sizes: ['any'], theme: 'dark' },
  ])
  assert.equal('icons' in serverOf({}), false)
})

test('no text makes an entry that breaks the schema', () => {
  const text = fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 150 })
    .map((units) => String.fromCharCode(...units))
  fc.assert(
    fc.property(text, text, (name, description) => {
      const server = serverOf({ name, description })
      const length = lengthOf(server['description'])
      assert.ok(length >= 1 && length <= 100)
      if ('title' in server) assert.ok(lengthOf(server['title']) >= 1 && lengthOf(server['title']) <= 100)
    }),
  )
})
