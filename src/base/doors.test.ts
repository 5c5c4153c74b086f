import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_DOORS, DOORS, doorAt, withoutSlash } from './doors.ts'

test('the most specific row decides a path, and a path beside all rows has none', () => {
  for (const [path, name] of [
    ['/mcp', 'consumerMcp'],
    ['/mcp/travel', 'belowConsumerMcp'],
    ['/mcp/-/acme/web', 'consumerMcpProfile'],
    ['/management', 'management'],
    ['/management/other', 'management'],
    ['/management/mcp', 'managementMcp'],
    ['/management/mcp/x', 'management'],
    ['/management/v1', 'managementRest'],
    ['/management/v1/collections', 'managementRest'],
    ['/management/v10', 'management'],
    ['/management/secrets', 'management'],
    ['/management/secrets/abc', 'secretPages'],
    ['/api/v1/mcp', 'managementMcpAlias'],
    ['/api/v1/mcp/x', 'belowManagementMcpAlias'],
    ['/oauth', 'oauthRoot'],
    ['/oauth/', 'oauth'],
    ['/oauth/setup', 'setUpPage'],
    ['/oauth/setup/x', 'oauth'],
    ['/.well-known/oauth-authorization-server', 'serverMetadata'],
    ['/.well-known/oauth-authorization-server/management/mcp', 'serverMetadata'],
    ['/.well-known/oauth-authorization-server/api/v1/mcp', 'serverMetadata'],
    ['/.well-known/oauth-authorization-server/mcp', 'serverMetadata'],
    ['/.well-known/oauth-authorization-server/mcp/travel', 'serverMetadata'],
    ['/.well-known/oauth-authorization-server/orders', 'wellKnown'],
    ['/.well-known/openid-configuration/', 'wellKnown'],
    ['/.well-known/oauth-protected-resource/mcp', 'resourceMetadata'],
    ['/healthz', 'healthz'],
  ] as const)
    assert.equal(doorAt(path), DOORS[name], path)
  for (const path of ['', '/', '/mcps', '/api/v1', '/healthz/x', '/oauths', '/orders', 'mcp'])
    assert.equal(doorAt(path), null, path)
})

test('no two rows decide the same path', () => {
  const decided = ALL_DOORS.flatMap(({ path, extent }) => [
    ...(extent === 'below' ? [] : [path]),
    ...(extent === 'below' || extent === 'subtree' ? [`${path}/*`] : []),
  ])
  assert.equal(new Set(decided).size, decided.length, decided.join(' '))
})

const SAME = ['/', '/mcp', '/mcp/desk', '/mcpx/', '/connect/', '/orders/v1/', '/healthz/', '/management']
for (const path of SAME)
  test(`${path} keeps what it ends with`, () => {
    assert.equal(withoutSlash(path), path)
  })

const BARE: readonly (readonly [string, string])[] = [
  ['/mcp/', '/mcp'],
  ['/mcp/desk/', '/mcp/desk'],
  ['/mcp/-/acme/main/', '/mcp/-/acme/main'],
  ['/management/', '/management'],
  ['/management/mcp/', '/management/mcp'],
  ['/management/v1/origins/', '/management/v1/origins'],
  ['/api/v1/mcp/', '/api/v1/mcp'],
  ['/mcp//', '/mcp/'],
]
for (const [path, bare] of BARE)
  test(`${path} is ${bare}`, () => {
    assert.equal(withoutSlash(path), bare)
  })
