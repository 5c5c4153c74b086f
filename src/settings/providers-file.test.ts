import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { anyJson } from '../../test/support/any-json.ts'
import { CannotStart } from '../base/refusal.ts'
import { readSettings } from '../settings.ts'
import { readProviders } from './providers-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-providers-test-'))
after(() => rmSync(directory, { recursive: true }))
mkdirSync(join(directory, 'secrets'))
for (const name of ['one', 'two']) writeFileSync(join(directory, 'secrets', name), 'hunter2\n')
writeFileSync(join(directory, 'secrets', 'empty'), '\n')

const file = join(directory, 'providers')
const PARTNER = {
  slug: 'partner',
  name: 'Partner Ltd',
  issuer: 'https://id.partner.example',
  client_id: 'postern',
}
const FIRST = { POSTERN_OIDC_ISSUER: 'https://id.example.com', POSTERN_OIDC_CLIENT_ID: 'postern' }

function read(content: unknown, env: Record<string, string> = {}) {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return readProviders(readSettings([], { ...env, POSTERN_OIDC_PROVIDERS_FILE: file }))
}

/** The one sentence with which the start is refused. */
function refusal(content: unknown, env: Record<string, string> = {}): string {
  try {
    read(content, env)
  } catch (error) {
    assert.ok(error instanceof CannotStart, String(error))
    assert.doesNotMatch(error.message, /\n|hunter2/)
    return error.message
  }
  return assert.fail(`taken: ${JSON.stringify(content)}`)
}

test('an entry of the file is a provider with the defaults of the settings, and its files are found from its folder', () => {
  const [partner, ...more] = read([{ ...PARTNER, client_secret_file: 'secrets/one' }])
  assert.equal(more.length, 0)
  assert.deepEqual(partner, {
    slug: 'partner',
    file,
    name: 'Partner Ltd',
    issuer: 'https://id.partner.example',
    clientId: 'postern',
    clientSecret: null,
    clientSecretFile: join(directory, 'secrets/one'),
    clientKeyFile: null,
    clientAuth: null,
    scopes: 'openid profile email',
    groupsClaim: 'groups',
    roleMap: [],
    direct: null,
    audience: null,
  })
})

test('the first provider comes first, and no file or an empty list adds none', () => {
  assert.deepEqual(
    read([PARTNER], FIRST).map(({ slug, name }) => [slug, name]),
    [
      [null, 'id.example.com'],
      ['partner', 'Partner Ltd'],
    ],
  )
  assert.deepEqual(
    read([], FIRST).map(({ slug }) => slug),
    [null],
  )
  assert.deepEqual(read([]), [])
  assert.equal(readProviders(readSettings([], FIRST)).length, 1)
})

test('YAML is taken as JSON is, and a role map as a list or as the text of the setting', () => {
  const yaml = (map: string) => `
- slug: partner
  name: Partner Ltd
  issuer: https://id.partner.example
  client_id: postern
  client_auth: client_secret_post
  client_secret_file: ${join(directory, 'secrets/two')}
  direct: only
  audience: https://gateway.example.com
  role_map: ${map}
`
  const rules = [
    { claim: 'group', value: 'a=b', grant: 'admin' },
    { claim: '*', value: null, grant: 'viewer' },
  ]
  for (const map of ['group:a=b=admin; "*=viewer"', '\n    - group:a=b=admin\n    - "*=viewer"'].map(
    (text) => (text.startsWith('\n') ? text : JSON.stringify(text.replaceAll('"', ''))),
  )) {
    const [partner] = read(yaml(map))
    assert.deepEqual(partner?.roleMap, rules)
    assert.deepEqual([partner?.direct, partner?.clientAuth], ['only', 'client_secret_post'])
    assert.equal(partner?.clientSecretFile, join(directory, 'secrets/two'))
  }
})

test('the example of docs/identity.md is understood', () => {
  const page = readFileSync(new URL('../../docs/identity.md', import.meta.url), 'utf8')
  const [, example] = /```yaml\n(# \/etc\/postern\/providers\.yaml\n[\s\S]*?)```/.exec(page)!
  for (const name of ['partner', 'bought.pem']) writeFileSync(join(directory, 'secrets', name), 'text')
  assert.deepEqual(
    read(example).map(({ slug, roleMap }) => [slug, roleMap.length]),
    [
      ['partner', 2],
      ['bought', 0],
    ],
  )
})

const two = (more: object) => [PARTNER, { ...PARTNER, slug: 'other', name: 'Other', ...more }]
const REFUSED: readonly (readonly [what: string, content: unknown, expected: RegExp])[] = [
  ['no text', '', /is not valid: the file: empty\./],
  ['broken JSON', '[{', /is not valid: entry 1: not JSON: /],
  ['an object', { providers: [] }, /is not valid: the file: must be a list/],
  ['an entry that is no object', ['partner'], /entry 1: must be an object/],
  ['no slug', [{ ...PARTNER, slug: undefined }], /entry 1, slug: required/],
  ['a slug with a slash', [{ ...PARTNER, slug: 'a/b' }], /entry 1 \("a\/b"\), slug: must be lower-case/],
  ['a slug in capitals', [{ ...PARTNER, slug: 'Partner' }], /slug: must be lower-case letters/],
  ['no name', [{ ...PARTNER, name: ' ' }], /entry 1 \("partner"\), name: must be a name for the button/],
  ['a name that hides text', [{ ...PARTNER, name: 'a\u202eb' }], /name: must be visible characters/],
  [
    'an issuer over http',
    [{ ...PARTNER, issuer: 'http://id.partner.example' }],
    /issuer: must be an https URL/,
  ],
  ['an unknown member', [{ ...PARTNER, colour: 'red' }], /entry 1 \("partner"\), colour: unknown member/],
  [
    'a secret',
    [{ ...PARTNER, client_secret: 'hunter2' }],
    /client_secret: must be in a separate file: name that file in client_secret_file/,
  ],
  [
    'scopes without openid',
    [{ ...PARTNER, scopes: 'profile' }],
    /scopes: must be scopes separated by spaces/,
  ],
  ['a rule that is none', [{ ...PARTNER, role_map: ['viewer'] }], /role_map: .*"viewer" is not one/],
  ['a map that is no text', [{ ...PARTNER, role_map: { a: 'b' } }], /role_map: must be a string/],
  ['a mode that is none', [{ ...PARTNER, direct: 'yes' }], /direct: must be `off`, `on` or `only`/],
  ['a number', [{ ...PARTNER, client_id: 7 }], /client_id: must be a string/],
  [
    'the client id as the audience',
    [{ ...PARTNER, audience: 'postern' }],
    /audience: is also the client_id, so Postern could not distinguish ID tokens/,
  ],
  [
    'a secret and a key',
    [{ ...PARTNER, client_secret_file: 'secrets/one', client_key_file: 'secrets/two' }],
    /client_key_file: is set, and client_secret_file too/,
  ],
  [
    'a method without its key',
    [{ ...PARTNER, client_auth: 'private_key_jwt' }],
    /client_auth: is "private_key_jwt", which needs client_key_file/,
  ],
  [
    'a method without its secret',
    [{ ...PARTNER, client_auth: 'client_secret_post' }],
    /client_auth: is "client_secret_post", which needs client_secret_file/,
  ],
  [
    'a secret that is not sent',
    [{ ...PARTNER, client_auth: 'none', client_secret_file: 'secrets/one' }],
    /client_auth: is "none", and client_secret_file is set/,
  ],
  [
    'a key that is not used',
    [{ ...PARTNER, client_auth: 'none', client_key_file: 'secrets/one' }],
    /client_auth: is "none", and client_key_file is for "private_key_jwt"/,
  ],
  [
    'a file that is missing',
    [{ ...PARTNER, client_secret_file: 'secrets/none' }],
    /entry 1 \("partner"\), client_secret_file: is \S+secrets\/none, which cannot be read/,
  ],
  [
    'a file that is empty',
    [{ ...PARTNER, client_secret_file: 'secrets/empty' }],
    /client_secret_file: is \S+secrets\/empty, which is empty/,
  ],
  [
    'a slug twice',
    [PARTNER, { ...PARTNER, name: 'Other', issuer: 'https://other.example' }],
    /entry 2 \("partner"\), slug: is also used by entry 1/,
  ],
  ['an issuer twice', two({}), /entry 2 \("other"\), issuer: is also used by entry 1/],
  [
    'a name twice',
    two({ name: ' Partner Ltd ', issuer: 'https://other.example' }),
    /entry 2 \("other"\), name: is also used by entry 1/,
  ],
  [
    'more than 20 providers',
    Array.from({ length: 21 }, (_, n) => ({
      ...PARTNER,
      slug: `p${n}`,
      name: `P${n}`,
      issuer: `https://p${n}.example`,
    })),
    /the file: must be a list of at most 20 providers/,
  ],
]
for (const [what, content, expected] of REFUSED)
  test(`a file with ${what} refuses the start, and the entry and the member are named`, () => {
    const message = refusal(content)
    assert.ok(
      message.startsWith(`POSTERN_OIDC_PROVIDERS_FILE (--oidc-providers-file) ${file} is not valid: `),
    )
    assert.match(message, expected)
  })

test('the issuer and the label of the first provider are not those of a further one', () => {
  for (const [member, value] of [
    ['issuer', FIRST.POSTERN_OIDC_ISSUER],
    ['name', 'id.example.com'],
  ] as const)
    assert.match(
      refusal([{ ...PARTNER, [member]: value }], FIRST),
      new RegExp(`entry 1 \\("partner"\\), ${member}: is also used by POSTERN_OIDC_ISSUER`),
    )
})

test('20 providers are taken, and of many faults ten are named', () => {
  const many = Array.from({ length: 20 }, (_, n) => ({
    ...PARTNER,
    slug: `p${n}`,
    name: `P${n}`,
    issuer: `https://p${n}.example`,
  }))
  assert.equal(read(many).length, 20)
  const message = refusal(many.map((one) => ({ ...one, slug: 'P' })))
  assert.equal(message.match(/entry/g)?.length, 10)
  assert.match(message, /; and 10 more\.$/)
})

test('a file that cannot be read refuses the start', () => {
  const settings = readSettings(['--oidc-providers-file', join(directory, 'none.yaml')], {})
  assert.throws(() => readProviders(settings), /^CannotStart: .*none\.yaml: the file cannot be read/)
})

test('a length that cannot be compared is refused with its place', () => {
  const text = JSON.stringify([{ slug: 'partner', name: { length: { toString: 1, valueOf: 1 } } }])
  assert.throws(() => read(text), /^CannotStart: .*entry 1 \("partner"\), name.*length.*toString and valueOf/)
})

test('any entries, and any text, either make providers or refuse with one sentence', () => {
  const value = anyJson({ maxDepth: 2 }) as fc.Arbitrary<unknown>
  const or = (...more: unknown[]): fc.Arbitrary<unknown> => fc.oneof(fc.constantFrom(...more), value)
  const entry = fc.record(
    {
      slug: or('partner', 'other', '__proto__'),
      name: or('Partner', 'Other', '\u202e'),
      issuer: or('https://id.example', 'https://[fe80::1]', 'https://a@b'),
      client_id: or('postern'),
      client_secret: value,
      client_secret_file: or('secrets/one', 'secrets/none', '\0', '../..'),
      client_key_file: or('secrets/one'),
      client_auth: or('none', 'private_key_jwt', 'auto'),
      scopes: or('openid', 'openid \u0000'),
      groups_claim: or('groups', ''),
      role_map: or('*=viewer', ['*=viewer', ';'], [1], '='),
      direct: or('on'),
      audience: or('postern'),
    },
    { requiredKeys: [] },
  )
  const content = fc.oneof(
    fc.array(entry, { maxLength: 3 }).map((entries) => JSON.stringify(entries)),
    value.map((one) => JSON.stringify(one)),
    fc.string(),
    fc.constantFrom('- &a [*a]', '- !!js/function x', '? [a]\n: b', '[[[[[', '{}', '- slug: {slug: a}'),
  )
  fc.assert(
    fc.property(content, (text) => {
      try {
        for (const { slug, issuer, clientId } of read(text)) {
          assert.match(String(slug), /^[a-z][a-z0-9-]*$/)
          assert.ok(URL.canParse(issuer) && clientId !== '')
        }
      } catch (error) {
        assert.ok(error instanceof CannotStart, String(error))
        assert.doesNotMatch(error.message, /\n|hunter2/)
      }
    }),
    { numRuns: 1000 },
  )
})
