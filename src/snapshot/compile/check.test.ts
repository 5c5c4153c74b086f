import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  client,
  collection,
  credential,
  policy,
  profile,
  proxy,
  rate,
  upstream,
} from '../../../test/gateway/fragments.ts'
import type { Fragment } from '../fragments.ts'
import { checkFragment } from './check.ts'

const pointers = (fragment: Fragment): string[] => checkFragment(fragment).map(({ pointer }) => pointer)

test('fragments that can be served have no errors', () => {
  for (const fragment of [
    collection('a', { proxies: [proxy('p', '/{id}:cancel', { target_path: '/x/{id}' }), proxy('q', '/*')] }),
    client('a', {
      profiles: [profile('p', { endpoints: { allow: ['tag:a', 'GET /a/*', 'prx_1'], deny: [] } })],
    }),
    policy('a', [rate(1)]),
    credential('a', 'basic', { username: 'u' }, { password: 'sealed, not opened' }),
    { kind: 'contracts', id: 'col_a', schemas: null, json: '{}' } as const,
  ])
    assert.deepEqual(checkFragment(fragment), [])
})

test('what cannot be served is pointed at', () => {
  assert.deepEqual(pointers(collection('a', { base_path: '/mcp/x' })), ['/base_path'])
  assert.deepEqual(pointers(collection('a', { base_path: '/%41' })), ['/base_path'])
  assert.deepEqual(pointers(collection('a', { proxies: [proxy('p', '/a//b')] })), [
    '/proxies/0/path',
    '/proxies/0/target_path',
  ])
  for (const path of ['/%7e', '/%41', '/%7E', '/a%2Fb', '/%00'])
    assert.deepEqual(
      pointers(collection('a', { proxies: [proxy('p', path, { target_path: '/' })] })),
      ['/proxies/0/path'],
      path,
    )
  assert.deepEqual(
    pointers(collection('a', { proxies: [proxy('o', '/'), proxy('p', '/{a}', { target_path: '/{b}' })] })),
    ['/proxies/1/target_path'],
  )
  assert.deepEqual(pointers(collection('a', { proxies: [proxy('p', '/a', { target_path: '/*' })] })), [
    '/proxies/0/target_path',
  ])
  assert.match(checkFragment(collection('a', { upstream: upstream(0) }))[0]!.reason, /port/)
  assert.match(
    checkFragment(collection('a', { headers: [{ name: 'x', value: 'a\r\nb: c' }] }))[0]!.reason,
    /header x/,
  )
  assert.match(
    checkFragment(
      client('a', { profiles: [profile('p', { endpoints: { allow: [], deny: ['FETCH /a'] } })] }),
    )[0]!.reason,
    /METHOD \/path/,
  )
  assert.match(
    checkFragment(client('a', { profiles: [profile('p'), profile('p')] }))[0]!.reason,
    /two profiles/,
  )
  const nine = Array.from({ length: 9 }, (_, i) => rate(1, 1000, `l${i}`))
  assert.match(checkFragment(policy('a', nine))[0]!.reason, /at most 8/)
  assert.match(checkFragment(policy('a', [rate(1, 999)]))[0]!.reason, /window/)
  assert.match(checkFragment(credential('a', 'bearer', {}, {}))[0]!.reason, /token is not set/)
  assert.equal(checkFragment({ kind: 'schemas', id: 'x', json: '{' }).length, 1)
})
