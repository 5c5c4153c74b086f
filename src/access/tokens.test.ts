import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { example, refused, startControl } from '../../test/control.ts'
import { createClock, jumpClock } from '../base/clock.ts'
import { mintToken } from '../base/crypto/token.ts'
import type { Permission } from './principal.ts'
import { permits } from './roles.ts'
import { createAccessTokens } from './tokens.ts'

const REQUEST = {
  grants: ['viewer'],
  ttlMs: 60_000,
  name: 'Ada',
  method: 'access_token',
  surface: 'cli',
} as const

test('an access token stands for its role until it expires or is revoked', async () => {
  const control = await startControl()
  const tokens = createAccessTokens(control.store, createClock(control.cell))
  const { token, id } = await tokens.issue(REQUEST)
  const principal = await tokens.verify(token)
  assert.deepEqual(principal.grants, [{ role: 'viewer' }])
  assert.equal(principal.name, 'Ada')
  assert.equal(principal.id, id)

  const other = await tokens.issue(REQUEST)
  await tokens.revoke(other.token.slice(7, 19), 'cli')
  assert.equal((await refused(tokens.verify(other.token), 'credential_invalid')).facts.inner, 'revoked')
  await refused(tokens.revoke('unknownunkno', 'cli'), 'not_found')

  const [entry] = (await control.store.read.auditEntries({ limit: 1 })).items
  assert.equal(entry?.operation, 'access_tokens.revoke')

  control.move(60_001)
  await refused(tokens.verify(token), 'credential_expired')
  await control.close()
})

test('a token that was issued while the clock was far ahead ends when it is set right, and one of a little ahead counts on', async () => {
  const control = await startControl()
  const tokens = createAccessTokens(control.store, createClock(control.cell))
  for (const [ahead, counts] of [
    [500 * 86_400_000, false],
    [30_000, true],
  ] as const) {
    jumpClock(control.cell, ahead)
    const { token } = await tokens.issue(REQUEST)
    jumpClock(control.cell, -ahead)
    if (counts) assert.equal((await tokens.verify(token)).name, 'Ada')
    else await refused(tokens.verify(token), 'credential_expired')
  }
  await control.close()
})

test('a token has a role of your own by its slug, as it was and as it is: who changes the role widens no token', async () => {
  const control = await startControl()
  await example(control)
  const tokens = createAccessTokens(control.store, createClock(control.cell))
  const permissions = ['proxies:read', 'proxies:publish']
  await control.run('roles.create', { name: 'Publisher', permissions })
  const { token } = await tokens.issue({ ...REQUEST, grants: ['publisher:proxies@orders'] })
  const orders = (await control.store.read.bySlug('collections', 'orders'))[0]!.id
  const may = async (permission: Permission, collection = orders) =>
    permits(await tokens.verify(token), permission, { collection, tags: [] })
  assert.deepEqual(
    [await may('proxies:publish'), await may('proxies:publish', 'col_other'), await may('proxies:update')],
    [true, false, false],
  )
  await control.run('roles.update', { id: 'publisher', permissions: ['proxies:read', 'proxies:update'] })
  assert.deepEqual(
    [await may('proxies:read'), await may('proxies:publish'), await may('proxies:update')],
    [true, false, false],
  )
  await control.run('roles.delete', { id: 'publisher' }, { confirm: 'publisher' })
  await control.run('roles.create', { name: 'Publisher', permissions })
  assert.equal(await may('proxies:read'), false, 'another role by that slug is another')
  const unknown = await refused(tokens.issue({ ...REQUEST, grants: ['nobody'] }), 'input_invalid')
  assert.equal(unknown.message, 'there is no role "nobody".')
  await control.close()
})

test('what callers are told does not say why a token is refused; the inner reason does', async () => {
  const control = await startControl()
  const tokens = createAccessTokens(control.store, createClock(control.cell))
  const { token } = await tokens.issue(REQUEST)
  const nobody = await refused(tokens.verify(null), 'credentials_missing')
  assert.match(nobody.facts.detail ?? '', /postern token --role admin/)
  const cases = [
    [mintToken('at').token, 'unknown'],
    [mintToken('pk').token, 'token of a profile'],
    [`${token.slice(0, -1)}!`, 'malformed'],
    ['Basic abc', 'malformed'],
  ] as const
  const told = new Set<string>()
  for (const [text, inner] of cases) {
    const refusal = await refused(tokens.verify(text), 'credential_invalid')
    assert.equal(refusal.facts.inner, inner)
    told.add(refusal.message)
  }
  assert.equal(told.size, 1)
  await control.close()
})

test('issuing a token is audited, and the token is nowhere in the store', async () => {
  const control = await startControl()
  const tokens = createAccessTokens(control.store, createClock(control.cell))
  const { token } = await tokens.issue(REQUEST)
  const { items } = await control.store.read.auditEntries({ limit: 10, resource_type: 'access_token' })
  assert.equal(items[0]?.action, 'CREATE')
  assert.equal(items[0]?.surface, 'cli')
  assert.equal(JSON.stringify(items).includes(token.slice(20, 60)), false)
  for (const file of readdirSync(control.directory))
    assert.equal(readFileSync(join(control.directory, file)).includes(token.slice(20, 60)), false, file)
  await control.close()
})
