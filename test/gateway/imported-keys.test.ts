import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { printOfImported } from '../../src/base/crypto/token.ts'
import type { TokenFragment } from '../../src/snapshot/fragments.ts'
import { client, collection, profile, proxy, token, upstream } from './fragments.ts'
import { type Served, serve } from './serve.ts'

const CALL = '/orders/v1/orders/7'
const KEY = 'kong-key-0123456789'
const OTHER = 'kong-key-9876543210'
const OLD = 'kong-key-that-ended'
const HMAC_KEY = new Uint8Array(32).fill(7)
const minted = token('tok_minted')

function imported(id: string, text: string, more: Partial<TokenFragment> = {}): TokenFragment {
  return { ...token(id).fragment, ...printOfImported(HMAC_KEY, text), ...more }
}

let served: Served

before(async () => {
  served = await serve(
    (port) => [
      collection('orders', {
        upstream: upstream(port),
        key_places: { headers: ['ApiKey', 'x-key'], query: ['apikey'] },
      }),
      collection('plain', {
        base_path: '/plain',
        upstream: upstream(port),
        proxies: [proxy('plain-all', '/*')],
      }),
      client('acme', {
        collections: ['col_orders', 'col_plain'],
        profiles: [
          profile('token', {
            auth: 'token',
            tokens: [
              imported('tok_key', KEY),
              imported('tok_old', OLD, { expires_at: 1000 }),
              minted.fragment,
            ],
          }),
        ],
      }),
      client('rival', {
        profiles: [profile('rival-token', { auth: 'token', tokens: [imported('tok_rival', OTHER)] })],
      }),
    ],
    { importedKey: HMAC_KEY },
  )
})

after(() => served.close())

test('an imported key passes in each place that the collection names, and in Authorization, and its record names it', async () => {
  for (const [path, headers] of [
    [CALL, { apikey: KEY }],
    [CALL, { 'X-Key': KEY }],
    [`${CALL}?apikey=${KEY}`, {}],
    [`${CALL}?a=1&apikey=${KEY}&b=2`, { apikey: KEY }],
    [CALL, { authorization: `Bearer ${KEY}` }],
    [CALL, { apikey: minted.text }],
  ] as const) {
    const index = served.records.length
    assert.equal((await served.ask(path, { headers })).status, 200, `${path} ${JSON.stringify(headers)}`)
    const record = await served.record(index)
    assert.equal(record.client, 'cli_acme')
    assert.equal(
      record.credentialId,
      JSON.stringify(headers).includes(minted.text) ? 'tok_minted' : 'tok_key',
    )
    assert.ok(!JSON.stringify(record).includes(KEY))
  }
})

test('the upstream gets neither the header nor the parameter, and the rest of the query as it came', async () => {
  await served.ask(`${CALL}?a=%20x&%61pikey=${KEY}&b=2&apikey=&c`, {
    headers: { apikey: KEY, 'x-other': 'o' },
  })
  const seen = served.echo.seen.at(-1)!
  assert.ok(!JSON.stringify(seen).includes(KEY), JSON.stringify(seen))
  assert.match(JSON.stringify(seen), /a=%20x&b=2&c/)
  assert.match(JSON.stringify(seen), /x-other/)
  // Also beside another credential
  await served.ask(CALL, {
    headers: { authorization: `Bearer ${minted.text}`, apikey: 'left-over-of-a-caller' },
  })
  assert.ok(!JSON.stringify(served.echo.seen.at(-1)).includes('left-over'))
})

test('a key is refused where it is unknown, has ended, is of another client, or stands in two places differently', async () => {
  const cases: readonly (readonly [string, Record<string, string>, number, string])[] = [
    [CALL, { apikey: 'kong-key-unknown-000' }, 401, 'credential_invalid'],
    [CALL, { apikey: 'short' }, 401, 'credential_invalid'],
    [CALL, { apikey: '' }, 401, 'credentials_missing'],
    [CALL, { apikey: OLD }, 401, 'credential_expired'],
    [CALL, { apikey: KEY, 'x-client-id': 'rival' }, 403, 'identity_rejected'],
    [`${CALL}?apikey=${OTHER}`, { apikey: KEY }, 401, 'credential_invalid'],
    [CALL, { APIKEY2: KEY }, 401, 'credentials_missing'],
    [`${CALL}?ApiKey=${KEY}`, {}, 401, 'credentials_missing'],
    // Authorization goes first, whatever the key is
    [CALL, { authorization: 'Bearer nothing-of-value-here', apikey: KEY }, 401, 'credential_invalid'],
    ['/plain/x', { apikey: KEY }, 401, 'credentials_missing'],
    [`/plain/x?apikey=${KEY}`, {}, 401, 'credentials_missing'],
  ]
  for (const [path, headers, status, code] of cases) {
    const answer = await served.ask(path, { headers })
    assert.deepEqual(
      [answer.status, answer.json['code']],
      [status, code],
      `${path} ${JSON.stringify(headers)}`,
    )
  }
  // The lookup of an imported token in the form of a token of Postern proves nothing
  const { lookup } = printOfImported(HMAC_KEY, KEY)
  const forged = `pst_pk_${lookup}_${'a'.repeat(43)}_${'b'.repeat(6)}`
  assert.equal((await served.ask(CALL, { headers: { apikey: forged } })).status, 401)
})

test('an address that guesses keys is slowed down, the right one included, and a key that was proved passes on', async () => {
  const from = '127.0.0.9'
  assert.equal((await served.ask(CALL, { headers: { apikey: KEY }, from })).status, 200)
  let last = 0
  for (let at = 0; at < 30; at++)
    last = (
      await served.ask(CALL, {
        headers: { apikey: `kong-key-guess-${at}-00000`, 'x-client-id': 'acme' },
        from,
      })
    ).status
  assert.equal(last, 429)
  // Of this address one guess a second is compared, and that one was just made
  assert.equal((await served.ask(CALL, { headers: { apikey: OTHER }, from })).status, 429)
  assert.equal((await served.ask(CALL, { headers: { apikey: KEY }, from })).status, 200)
  served.moveClock(1500)
  assert.notEqual((await served.ask(CALL, { headers: { apikey: OTHER }, from })).status, 429)
  // Other addresses wait for nothing
  assert.equal((await served.ask(CALL, { headers: { apikey: KEY } })).status, 200)
})

test('any text in a place is refused or taken, and reaches no upstream', async () => {
  const text = fc.string({ unit: fc.constantFrom(...'ab%&=+;~.,/01 \t"\\'), maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(text, text, async (inHeader, inQuery) => {
      const contacts = served.echo.seen.length
      const asked = { headers: { apikey: inHeader.trim() }, from: '127.0.0.11' }
      const { status } = await served.ask(`${CALL}?apikey=${encodeURIComponent(inQuery)}`, asked)
      assert.ok([400, 401, 429].includes(status), String(status))
      assert.equal(served.echo.seen.length, contacts)
    }),
    { numRuns: 100 },
  )
})
