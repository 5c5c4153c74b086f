import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { client, collection, profile, proxy, token, upstream } from './fragments.ts'
import { type Answer, type Asked, type Served, serve } from './serve.ts'

const CALL = '/orders/v1/orders/7'
const good = token('tok_good')
const expired = token('tok_expired', { expires_at: 1000 })
const retired = token('tok_retired', { retires_at: 1000 })
const rival = token('tok_rival')
const held = token('tok_held')

let served: Served

before(async () => {
  served = await serve((port) => [
    collection('orders', { upstream: upstream(port) }),
    client('acme', {
      profiles: [
        profile('open'),
        profile('sandbox', {
          auth: 'token',
          tokens: [good.fragment, expired.fragment, retired.fragment],
        }),
        profile('office', { ip_allowlist: ['127.0.0.2', '10.0.0.0/8', '2001:db8::/32'] }),
        profile('locked', { auth: 'token', tokens: [held.fragment], ip_allowlist: ['127.0.0.2/32'] }),
        profile('off', { active: false }),
      ],
    }),
    client('rival', { profiles: [profile('rival-main', { auth: 'token', tokens: [rival.fragment] })] }),
    client('single', { profiles: [profile('single-open'), profile('single-off', { active: false })] }),
    client('gone', { active: false, profiles: [profile('gone-open')] }),
    client('late', { valid_until: 1000, profiles: [profile('late-open')] }),
    client('outsider', { collections: [], profiles: [profile('outside')] }),
  ])
})

after(() => served.close())

async function refusal(asked: Asked, path = CALL): Promise<Answer & { reason: string; stopped: number }> {
  const index = served.records.length
  const contacts = served.echo.seen.length
  const answer = await served.ask(path, asked)
  const record = await served.record(index)
  assert.equal(record.code, answer.json['code'])
  assert.equal(record.status, answer.status)
  assert.equal(served.echo.seen.length, contacts, 'nothing reached the upstream')
  assert.equal(answer.headers['content-type'], 'application/problem+json')
  assert.equal(answer.headers['x-request-id'], answer.json['request_id'])
  assert.equal(record.id, answer.json['request_id'])
  return { ...answer, reason: record.reason, stopped: record.stoppedAt }
}

const bearer = (text: string): Record<string, string> => ({ authorization: `Bearer ${text}` })
const ids = (clientRef: string, profileRef?: string): Record<string, string> => ({
  'x-client-id': clientRef,
  ...(profileRef === undefined ? {} : { 'x-profile-id': profileRef }),
})

test('a token alone names client and profile', async () => {
  const index = served.records.length
  assert.equal((await served.ask(CALL, { headers: bearer(good.text) })).status, 200)
  const record = await served.record(index)
  assert.equal(record.client, 'cli_acme')
  assert.equal(record.profile, 'pro_sandbox')
  assert.equal(record.credentialId, 'tok_good')
  assert.equal(record.stoppedAt, -1)
})

test('ids beside a token may be ids or slugs, and must agree with it', async () => {
  for (const headers of [
    ids('acme', 'sandbox'),
    ids('cli_acme', 'pro_sandbox'),
    ids('acme'),
    { 'x-profile-id': 'sandbox' },
  ])
    assert.equal((await served.ask(CALL, { headers: { ...headers, ...bearer(good.text) } })).status, 200)
  for (const headers of [ids('rival', 'rival-main'), ids('rival'), ids('acme', 'open'), ids('nobody')]) {
    const answer = await refusal({ headers: { ...headers, ...bearer(good.text) } })
    assert.equal(answer.status, 403)
    assert.equal(answer.json['code'], 'identity_rejected')
    assert.equal(answer.stopped, 5)
  }
})

test("another client's token is refused together with the ids of this one", async () => {
  const answer = await refusal({ headers: { ...ids('acme', 'sandbox'), ...bearer(rival.text) } })
  assert.equal(answer.json['code'], 'identity_rejected')
})

test('the scheme of a credential is read in any case', async () => {
  assert.equal((await served.ask(CALL, { headers: { authorization: `bearer ${good.text}` } })).status, 200)
})

test('no identity at all is 401 with a challenge that names no fault', async () => {
  const answer = await refusal({})
  assert.equal(answer.status, 401)
  assert.equal(answer.json['code'], 'credentials_missing')
  assert.equal(answer.headers['www-authenticate'], 'Bearer realm="postern"')
})

test('the scheme of a token without one is no credential', async () => {
  for (const authorization of ['Bearer', 'Bearer   ', 'bearer']) {
    const answer = await refusal({ headers: { authorization } })
    assert.deepEqual([answer.status, answer.json['code']], [401, 'credentials_missing'], authorization)
    const open = await served.ask(CALL, { headers: { ...ids('acme', 'open'), authorization } })
    assert.equal(open.status, 200, open.text)
  }
})

test('a wrong, damaged, foreign or unreadable credential is one refusal for callers and told apart in the record', async () => {
  const wrong = `${good.text.slice(0, 30)}${good.text[30] === 'a' ? 'b' : 'a'}${good.text.slice(31)}`
  const cases = [
    [bearer(wrong), 'wrong secret'],
    [bearer(token('tok_other').text), 'unknown token'],
    [bearer('eyJhbGciOiJIUzI1NiJ9.e30.x'), 'unknown token'],
    [{ authorization: 'Basic YTpi' }, 'not a bearer token'],
    [{ ...ids('acme', 'open'), ...bearer('nonsense') }, 'unknown token'],
  ] as const
  for (const [headers, reason] of cases) {
    const answer = await refusal({ headers })
    assert.equal(answer.status, 401)
    assert.equal(answer.json['code'], 'credential_invalid')
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="postern", error="invalid_token"')
    assert.equal(answer.reason, reason)
    assert.ok(!answer.text.includes(reason))
  }
})

test('expired and retired tokens are told as expired', async () => {
  for (const [one, reason] of [
    [expired, 'the token has expired'],
    [retired, 'retired by rotation'],
  ] as const) {
    const answer = await refusal({ headers: bearer(one.text) })
    assert.equal(answer.json['code'], 'credential_expired')
    assert.equal(answer.status, 401)
    assert.equal(answer.reason, reason)
  }
})

test('ids alone reach a profile of type none, and only that', async () => {
  assert.equal((await served.ask(CALL, { headers: ids('acme', 'open') })).status, 200)
  assert.equal((await served.ask(CALL, { headers: { 'x-profile-id': 'pro_open' } })).status, 200)
  const answer = await refusal({ headers: ids('acme', 'sandbox') })
  assert.equal(answer.json['code'], 'credentials_missing')
  assert.equal(answer.status, 401)
})

test('unknown ids are rejected without telling which', async () => {
  for (const headers of [ids('nobody', 'open'), ids('acme', 'nothing'), { 'x-profile-id': 'open' }])
    assert.equal((await refusal({ headers })).json['code'], 'identity_rejected')
})

test('the client alone suffices when one profile fits, and is ambiguous when several do', async () => {
  assert.equal((await served.ask(CALL, { headers: ids('single') })).status, 200)
  const answer = await refusal({ headers: ids('acme') })
  assert.equal(answer.json['code'], 'profile_ambiguous')
  assert.equal(answer.status, 401)
  assert.equal(answer.reason, 'matches the profiles acme:open, acme:office')
  assert.equal((await refusal({ headers: ids('rival') })).json['code'], 'credentials_missing')
})

test('inactive clients and profiles are refused, and so is a client whose validity has ended', async () => {
  assert.equal((await refusal({ headers: ids('gone') })).json['code'], 'client_inactive')
  assert.equal((await refusal({ headers: ids('late') })).json['code'], 'client_inactive')
  const answer = await refusal({ headers: ids('acme', 'off') })
  assert.equal(answer.json['code'], 'profile_inactive')
  assert.equal(answer.stopped, 6)
})

test('an address outside of the allow list is refused before the credential is looked at', async () => {
  const answer = await refusal({ headers: ids('acme', 'office') })
  assert.equal(answer.json['code'], 'ip_not_allowed')
  assert.equal(answer.stopped, 7)
  assert.equal((await served.ask(CALL, { headers: ids('acme', 'office'), from: '127.0.0.2' })).status, 200)
  const wrong = await refusal({ headers: { ...ids('acme', 'locked'), ...bearer('wrong') } })
  assert.equal(wrong.json['code'], 'ip_not_allowed')
})

test('a path that does not exist in a collection is told only to a caller who is known, one outside of all collections to everyone', async () => {
  assert.equal((await refusal({}, '/orders/nothing')).json['code'], 'credentials_missing')
  const known = await refusal({ headers: bearer(good.text) }, '/orders/nothing')
  assert.equal(known.json['code'], 'route_not_found')
  assert.equal(known.stopped, 10)
  const nowhere = await refusal({}, '/nowhere')
  assert.equal(nowhere.json['code'], 'route_not_found')
  assert.equal(nowhere.stopped, 4)
})

test('a path near that of an endpoint names this endpoint, to a caller who may call it alone', async () => {
  await served.apply([
    collection('books', {
      upstream: upstream(1),
      proxies: [
        proxy('all-books', '/books'),
        proxy('pages', '/v1/Books/{id}/pages'),
        proxy('secret', '/secret'),
      ],
    }),
    client('library', {
      collections: ['col_books'],
      profiles: [
        profile('reads', { endpoints: { allow: [], deny: ['secret'] } }),
        profile('closed', { endpoints: { allow: ['nothing'], deny: [] } }),
      ],
    }),
    client('stranger', { collections: [], profiles: [profile('elsewhere')] }),
  ])
  const told = async (client: string, profile: string, path: string): Promise<unknown> => {
    const { json } = await refusal({ headers: ids(client, profile) }, path)
    assert.equal(json['code'], 'route_not_found')
    return /Did you mean (\S+)\?/.exec(String(json['detail']))?.[1]
  }
  for (const [path, meant] of [
    ['/books', '/books/books'],
    ['/books/', '/books/books'],
    ['/books/boks', '/books/books'],
    ['/books/books/', '/books/books'],
    ['/books/v1/books/7/page', '/books/v1/Books/{id}/pages'],
    ['/books/7/pages', undefined],
    ['/books/secrets', undefined],
    ['/books/nothing/of/this', undefined],
  ] as const)
    assert.equal(await told('library', 'reads', path), meant, path)
  for (const [client, profile] of [
    ['library', 'closed'],
    ['stranger', 'elsewhere'],
  ] as const)
    assert.equal(await told(client, profile, '/books/boks'), undefined, client)
})

test('a client that is not assigned is refused, whatever the method', async () => {
  for (const method of ['GET', 'DELETE']) {
    const answer = await refusal({ headers: ids('outsider'), method })
    assert.deepEqual([answer.status, answer.json['code']], [403, 'collection_not_assigned'], method)
  }
})

test('a collection may be hidden from whom it is not assigned to: nothing tells it from a path that is not there', async () => {
  const hidden = {
    hide_unassigned: true,
    upstream: upstream(served.echo.port),
    proxies: [proxy('x', '/x'), proxy('part', '/p/{id}:end', { target_path: '/p/{id}' })],
  } as const
  served.apply([
    collection('hidden', hidden),
    collection('lost', { ...hidden, proxies: [proxy('l', '/{a}'), proxy('m', '/{b}')] }),
    collection('told', { ...hidden, hide_unassigned: undefined }),
    client('member', {
      collections: ['col_hidden', 'col_lost'],
      profiles: [
        profile('all'),
        profile('none', { endpoints: { allow: ['prx_other'], deny: [] } }),
        profile('less', { collections: [] }),
      ],
    }),
  ])
  const headers = { 'x-client-id': 'outsider' }
  const told = ({ json, headers: { date: _date, 'x-request-id': _id, ...fields } }: Answer) => [
    { ...json, request_id: '' },
    fields,
  ]
  const nowhere = await served.ask('/nowhere', { headers })
  assert.equal(nowhere.status, 404)
  const member = (profile: string) => ({ 'x-client-id': 'member', 'x-profile-id': profile })
  for (const [path, asked] of [
    ['/hidden/x', { headers }],
    ['/hidden/y', { headers }],
    ['/hidden/p/..:end', { headers }],
    ['/hidden/x', { headers, method: 'DELETE' }],
    ['/lost/x', { headers }],
    ['/hidden/x', { headers: member('less') }],
    ['/hidden/x', { headers: member('none') }],
  ] as const) {
    const answer = await served.ask(path, asked)
    assert.deepEqual(told(answer), told(nowhere), path)
  }
  assert.equal((await served.ask('/told/x', { headers })).json['code'], 'collection_not_assigned')
  assert.equal((await served.ask('/hidden/x', { headers: member('all') })).status, 200)
  for (const [path, code] of [
    ['/lost/x', 'route_unavailable'],
    ['/hidden/p/..:end', 'request_not_canonical'],
  ] as const)
    assert.equal((await served.ask(path, { headers: member('all') })).json['code'], code)
  const index = served.records.length
  await served.ask('/hidden/x', { headers })
  const { code, stoppedAt, reason } = await served.record(index)
  assert.deepEqual(
    [code, stoppedAt, reason],
    ['route_not_found', 11, 'collection_not_assigned, shown to the caller as route_not_found'],
  )
})

test('after twenty failures of one source for one profile, tokens that prove nothing wait there and the valid one passes', async () => {
  const source = '127.0.0.9'
  const left = token('tok_left', { retires_at: 1000 })
  const ended = token('tok_ended', { expires_at: 1000 })
  const tokens = [good.fragment, left.fragment, ended.fragment]
  const one = await serve((port) => [
    collection('orders', { upstream: upstream(port), proxies: [proxy('all', '/*')] }),
    client('acme', { profiles: [profile('sandbox', { auth: 'token', tokens })] }),
    client('rival', { profiles: [profile('rival-main', { auth: 'token', tokens: [rival.fragment] })] }),
  ])
  try {
    const wrong = `${good.text.slice(0, 30)}${good.text[30] === 'a' ? 'b' : 'a'}${good.text.slice(31)}`
    for (let i = 0; i < 20; i++) {
      const answer = await one.ask(CALL, { headers: bearer(wrong), from: source })
      assert.equal(answer.json['code'], 'credential_invalid')
    }
    for (const stale of [wrong, left.text, ended.text]) {
      const answer = await one.ask(CALL, { headers: bearer(stale), from: source })
      assert.equal(answer.status, 429)
      assert.equal(answer.json['code'], 'auth_throttled')
      assert.ok(Number(answer.headers['retry-after']) > 0)
      assert.equal((await one.record(one.records.length - 1)).stoppedAt, 8)
    }
    // Asked for the first time and again, while the stale process goes on
    for (let i = 0; i < 5; i++) {
      assert.equal((await one.ask(CALL, { headers: bearer(good.text), from: source })).status, 200)
      assert.equal((await one.ask(CALL, { headers: bearer(left.text), from: source })).status, 429)
    }
    assert.equal((await one.ask(CALL, { headers: bearer(left.text) })).json['code'], 'credential_expired')
    assert.equal((await one.ask(CALL, { headers: bearer(rival.text), from: source })).status, 200)
    one.moveClock(60_000)
    const again = await one.ask(CALL, { headers: bearer(wrong), from: source })
    assert.equal(again.json['code'], 'credential_invalid')
  } finally {
    await one.close()
  }
})

test('both tokens of a rotation work in its overlap, the old one not after, and a revoked one on no later request', async () => {
  const old = token('tok_old', { retires_at: served.now() + 60_000 })
  const fresh = token('tok_new')
  const put = (tokens: readonly (typeof old)[]) =>
    client('turning', {
      profiles: [profile('turning-main', { auth: 'token', tokens: tokens.map((one) => one.fragment) })],
    })
  served.apply([put([old, fresh])])
  for (const [one, id] of [
    [old, 'tok_old'],
    [fresh, 'tok_new'],
  ] as const) {
    const index = served.records.length
    assert.equal((await served.ask(CALL, { headers: bearer(one.text) })).status, 200)
    assert.equal((await served.record(index)).credentialId, id)
  }
  served.moveClock(60_000)
  assert.equal((await refusal({ headers: bearer(old.text) })).json['code'], 'credential_expired')
  assert.equal((await served.ask(CALL, { headers: bearer(fresh.text) })).status, 200)
  served.apply([put([])])
  assert.equal((await refusal({ headers: bearer(fresh.text) })).json['code'], 'credential_invalid')
  served.apply([], ['client:cli_turning'])
  assert.equal((await refusal({ headers: ids('turning') })).json['code'], 'identity_rejected')
})

test('before the first snapshot every call is answered 503', async () => {
  const empty = await serve(() => [])
  try {
    const answer = await empty.ask(CALL)
    assert.equal(answer.status, 503)
    assert.equal(answer.json['code'], 'not_ready')
    assert.deepEqual([(await empty.record(0)).code, empty.records[0]?.status], ['not_ready', 503])
    assert.equal(empty.gateway.ready, false)
  } finally {
    await empty.close()
  }
})
