import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { golden } from '../test/golden/golden.ts'
import { CannotStart } from './base/refusal.ts'
import { settingsHelp, settingsReference } from './settings/pages.ts'
import { readSettings } from './settings.ts'

const refused = (argv: readonly string[], env: Record<string, string>, message: RegExp): void => {
  assert.throws(
    () => readSettings(argv, env),
    (error) => error instanceof CannotStart && message.test(error.message) && !error.message.includes('\n'),
  )
}

test('nothing set gives the defaults', () => {
  const settings = readSettings([], {})
  assert.equal(settings.data, './.postern')
  assert.deepEqual(settings.listen, { host: '127.0.0.1', port: 8080 })
  assert.deepEqual(settings.controlListen, { host: '127.0.0.1', port: 8081 })
  assert.equal(settings.origin, 'http://localhost:8080')
  assert.equal(settings.originIsSet, false)
  assert.ok(settings.workers >= 1)
  assert.deepEqual(settings.expose, ['management', 'oauth', 'registry', 'portal'])
  assert.deepEqual([settings.controlOrigin, settings.controlTls], [null, []])
  assert.equal(settings.keyFile, null)
})

test('the gateway listener serves management by default on a loopback address alone', () => {
  const exposed = (listen: string, env = {}) => readSettings(['--listen', listen], env).expose
  const elsewhere = ['oauth', 'registry', 'portal']
  for (const listen of ['127.0.0.1:8080', '127.1.2.3:80', '[::1]:8080', 'localhost:8080', '8080'])
    assert.deepEqual(exposed(listen), ['management', ...elsewhere], listen)
  for (const listen of [':8080', '0.0.0.0:8080', '[::]:8080', '10.0.0.1:8080', 'gateway.internal:8080'])
    assert.deepEqual(exposed(listen), elsewhere, listen)
  assert.deepEqual(exposed(':8080', { POSTERN_EXPOSE: 'management' }), ['management'])
  assert.deepEqual(exposed(':8080', { POSTERN_EXPOSE: '' }), [])
})

test('pages are listed by their origins, and neither `null` nor `*` is one', () => {
  const listed = readSettings(['--cors-origins', 'https://app.example.com, http://localhost:6274/'], {})
  assert.deepEqual(listed.corsOrigins, ['https://app.example.com', 'http://localhost:6274'])
  assert.equal(readSettings([], {}).corsOrigins, null)
  for (const list of [
    'null',
    '*',
    'https://*.example.com',
    'https://a.example,null',
    'app.example.com',
    'https://a.example/path',
  ])
    refused(
      ['--cors-origins', list],
      {},
      /^--cors-origins is ".*", and must be a comma-separated list of origins/,
    )
})

test('private places for discovered URLs are listed as names, domains, addresses and networks', () => {
  const listed = readSettings(['--egress-allow', 'keys.internal:8443, *.corp.example.com,10.0.0.0/8'], {})
  assert.deepEqual(listed.egressAllow, ['keys.internal:8443', '*.corp.example.com', '10.0.0.0/8'])
  assert.deepEqual(readSettings([], {}).egressAllow, [])
  for (const list of ['*', 'a.test,', 'https://a.test', '10.0.0.0/33', '169.254.0.0/16'])
    refused(
      ['--egress-allow', list],
      {},
      /^--egress-allow is ".*", and must be a comma-separated list of entries, and ".*" must be/,
    )
  const long = Array(1001).fill('a.test').join(',')
  refused(['--egress-allow', long], {}, /must be at most 1000 entries\.$/)
})

test('certificates of the control listener come with their keys, and not with the engine that speaks no TLS', () => {
  const both = ['--control-tls-cert', 'a.pem,b.pem', '--control-tls-key', 'a.key,b.key']
  assert.deepEqual(readSettings(both, {}).controlTls, [
    { certificate: 'a.pem', key: 'a.key' },
    { certificate: 'b.pem', key: 'b.key' },
  ])
  refused(
    ['--control-tls-cert', 'a.pem,b.pem', '--control-tls-key', 'a.key'],
    {},
    /^--control-tls-cert names 2 and --control-tls-key 1 files;/,
  )
  refused([...both, '--http-engine', 'node'], {}, /^--http-engine is "node".*--control-tls-cert is set/)
})

test('a flag wins over the environment, and the environment over the default', () => {
  const env = { POSTERN_LISTEN: '10.0.0.1:9000', POSTERN_WORKERS: '3', POSTERN_DATA: '/var/lib/p' }
  const settings = readSettings(['--listen', '[::1]:9001', '--control-listen=:0'], env)
  assert.deepEqual(settings.listen, { host: '::1', port: 9001 })
  assert.deepEqual(settings.controlListen, { host: '0.0.0.0', port: 0 })
  assert.equal(settings.workers, 3)
  assert.equal(settings.data, '/var/lib/p')
})

test('what was given is shown with where it came from', () => {
  const { shown } = readSettings(['--listen', ':9001'], { POSTERN_WORKERS: '3' })
  const of = (name: string) => shown.find((one) => one.name === name)
  assert.deepEqual(of('POSTERN_LISTEN'), {
    name: 'POSTERN_LISTEN',
    value: ':9001',
    source: 'flag',
    default: '127.0.0.1:8080',
  })
  assert.deepEqual([of('POSTERN_WORKERS')?.value, of('POSTERN_WORKERS')?.source], ['3', 'environment'])
  assert.deepEqual([of('POSTERN_DATA')?.value, of('POSTERN_DATA')?.source], [null, 'default'])
  const secret = 'planted-client-secret'
  const oidc = { POSTERN_OIDC_ISSUER: 'https://id.example.com', POSTERN_OIDC_CLIENT_ID: 'postern' }
  const withSecret = readSettings([], { ...oidc, POSTERN_OIDC_CLIENT_SECRET: secret })
  const one = withSecret.shown.find(({ name }) => name === 'POSTERN_OIDC_CLIENT_SECRET')
  assert.deepEqual([one?.value, one?.source], [null, 'environment'])
  assert.ok(!JSON.stringify(withSecret.shown).includes(secret))
})

test('documents of clients are pinned where clients are known by documents at all', () => {
  const pins = { POSTERN_CIMD_PINS: '/etc/postern/pins.json' }
  assert.equal(readSettings([], pins).cimdPins, '/etc/postern/pins.json')
  assert.equal(readSettings([], {}).cimdPins, null)
  refused(['--cimd', 'off'], pins, /--cimd is "off".* POSTERN_CIMD_PINS is set: remove one of the two/)
})

test('a port alone listens on the loopback, a colon before it on every address', () => {
  assert.deepEqual(readSettings(['--listen', '80'], {}).listen, { host: '127.0.0.1', port: 80 })
  assert.deepEqual(readSettings(['--listen', ':80'], {}).listen, { host: '0.0.0.0', port: 80 })
  assert.deepEqual(readSettings(['--listen', 'gw.local:80'], {}).listen, { host: 'gw.local', port: 80 })
})

test('an unknown name refuses start and names the nearest', () => {
  refused([], { POSTERN_LISTN: ':1' }, /^POSTERN_LISTN is not a setting\. Did you mean POSTERN_LISTEN\?$/)
  refused(
    ['--contrl-listen', ':1'],
    {},
    /^--contrl-listen is not a setting\. Did you mean --control-listen\?$/,
  )
  refused(['--qqqqqqqqqqqqqqq', '1'], {}, /docs\/settings\.md/)
  refused(['-x'], {}, /^-x is not a setting/)
  refused(['here'], {}, /"here" is not a flag\. Give settings as flags/)
  refused(['--__proto__', '1'], {}, /is not a setting/)
  refused([], { POSTERN_constructor: '1' }, /is not a setting/)
})

test('a wrong value refuses start and says what is expected', () => {
  for (const text of ['65536', 'a:b', '::1:80', '[zz]:80', 'http://x:1', '1.2.3.4', ''])
    refused([`--listen=${text}`], {}, /^--listen is ".*", and must be host:port/)
  for (const text of ['0', '-1', '1.5', 'many', ''])
    refused([`--workers=${text}`], {}, /must be a whole number/)
  for (const text of ['localhost:8080', 'ftp://x', 'https://x/y', 'https://u@x', 'https://x?'])
    refused([`--origin=${text}`], {}, /^--origin is ".*", and must be scheme:\/\/host/)
  // Allowed in a URL, but they would end the quoted parameter of a header field, or are dropped by URL parsers.
  for (const text of [
    'https://a"b',
    'https://a%22b',
    "https://a'b",
    'https://a,b',
    'https://a;b=c',
    'https:\\\\a',
    'https:a',
    ' https://a',
    'https://a\tb',
    'https://a..b',
  ])
    refused([`--origin=${text}`], {}, /^--origin is ".*", and must be scheme:\/\/host/s)
  for (const [text, origin] of [
    ['HTTPS://API.example.com/', 'https://api.example.com'],
    ['https://bücher.example:8443', 'https://xn--bcher-kva.example:8443'],
    ['http://[::1]:8080', 'http://[::1]:8080'],
    ['http://my_host', 'http://my_host'],
  ] as const)
    assert.equal(readSettings([`--origin=${text}`], {}).origin, origin)
  refused([], { POSTERN_EXPOSE: 'management,consol' }, /^POSTERN_EXPOSE is .*comma-separated list/)
  for (const url of [
    'http://vault.test',
    'https://169.254.169.254',
    'https://[fe80::1]:8200',
    'https://u@v.test',
  ])
    refused(
      ['--vault-url', url],
      { POSTERN_VAULT_TOKEN_FILE: 'token' },
      /^--vault-url .* must be an https URL/,
    )
  refused(['--listen'], {}, /needs a value/)
  refused(['--hepl'], {}, /^--hepl is not a setting\. Did you mean --help\?$/)
  refused(['--workers', '1', '--workers', '2'], {}, /given twice/)
})

test('a runner is a socket, or an address with a token', () => {
  assert.equal(readSettings([], {}).runner, null)
  const { runner } = readSettings(['--runner', 'unix:/run/postern/runner.sock'], {})
  assert.deepEqual(runner?.address.address, { socketPath: '/run/postern/runner.sock' })
  const token = { POSTERN_RUNNER_TOKEN_FILE: '/etc/postern/token' }
  const remote = readSettings(['--runner=https://[fd00::1]:7800'], token).runner
  assert.deepEqual(remote?.address, {
    text: 'https://[fd00::1]:7800',
    address: { host: 'fd00::1', port: 7800 },
    isTls: true,
    authority: '[fd00::1]:7800',
  })
  assert.equal(remote?.tokenFile, '/etc/postern/token')
  refused(
    ['--runner', 'http://127.0.0.1:7800'],
    {},
    /^--runner is an address, .* set POSTERN_RUNNER_TOKEN_FILE/,
  )
  refused([], token, /^POSTERN_RUNNER_TOKEN_FILE is for a runner: set POSTERN_RUNNER /)
  for (const text of [
    '/run/runner.sock',
    'unix:runner.sock',
    `unix:/${'x'.repeat(103)}`,
    'http://127.0.0.1:7800/path',
    'http://user@127.0.0.1:7800',
    'http://169.254.169.254',
    'tcp://127.0.0.1:7800',
  ])
    refused(['--runner', text], token, /^--runner is .* must be unix: and the absolute path/)
})

test('a vault needs one way to say who asks', () => {
  const vault = { POSTERN_VAULT_URL: 'https://vault.test' }
  refused([], vault, /^POSTERN_VAULT_URL needs a method of authentication: POSTERN_VAULT_TOKEN_FILE /)
  for (const flag of ['token-file', 'role-id', 'secret-id-file', 'kubernetes-role', 'auth-mount'])
    refused([`--vault-${flag}=x`], {}, new RegExp(`^--vault-${flag} needs a vault: set POSTERN_VAULT_URL `))
  const refusedWith = (flags: readonly string[], message: RegExp) =>
    refused(
      flags.map((flag) => `--vault-${flag}`),
      vault,
      message,
    )
  refusedWith(['role-id=a'], /^--vault-role-id and POSTERN_VAULT_SECRET_ID_FILE .* must be set together/)
  refusedWith(['token-file=a', 'kubernetes-role=b'], /-file and --vault-kubernetes-role are both set/)
  refusedWith(
    ['token-file=a', 'kubernetes-token-file=b'],
    /^--vault-kubernetes-token-file is only for a login/,
  )
  refusedWith(['token-file=a', 'auth-mount=b'], /^--vault-auth-mount is only for a login/)
  refusedWith(['kubernetes-role=a', 'auth-mount=../b'], /a path such as approle\.$/)
  refusedWith(['role-id=a b'], /visible ASCII without spaces\.$/)
  const proofOf = (flags: readonly string[]) => readSettings(flags, vault).secrets.vault?.proof
  assert.deepEqual(proofOf(['--vault-token-file=a']), { tokenFile: 'a' })
  assert.deepEqual(proofOf(['--vault-kubernetes-role=a']), {
    mount: 'kubernetes',
    named: { role: 'a' },
    member: 'jwt',
    file: '/var/run/secrets/kubernetes.io/serviceaccount/token',
  })
})

test('what needs another setting says so', () => {
  refused(
    ['--tls-client-ca', 'a.pem'],
    {},
    /^--tls-client-ca .* needs POSTERN_TLS_CERT \(--tls-cert\) and POSTERN_TLS_KEY \(--tls-key\)\.$/,
  )
  refused(
    ['--client-cert-field', 'client-cert'],
    {},
    /^--client-cert-field .* set POSTERN_TRUSTED_PROXIES \(--trusted-proxies\) too\.$/,
  )
  refused(['--client-cert-field', 'xfcc'], {}, /must be `off`, `client-cert` or `x-forwarded-client-cert`/)
  refused(
    ['--proxy-protocol', 'v2'],
    {},
    /^--proxy-protocol .* set POSTERN_TRUSTED_PROXIES \(--trusted-proxies\) too\.$/,
  )
  refused(
    ['--proxy-protocol', 'v2', '--trusted-proxies', '10.0.0.0/8', '--http-engine', 'node'],
    {},
    /^--http-engine is "node", which does not support the PROXY protocol, but --proxy-protocol is set/,
  )
  refused(['--proxy-protocol', 'v1'], {}, /must be `off` or `v2`/)
})

test('the password of a database is neither shown nor taken from a flag', () => {
  const url = 'postgres://ann:hush@db.example.com/shop?sslmode=require'
  const settings = readSettings([], { POSTERN_DATABASE_URL: url })
  assert.equal(settings.database?.password, 'hush')
  const shown = settings.shown.find(({ name }) => name === 'POSTERN_DATABASE_URL')
  assert.equal(shown?.value, 'postgres://ann:…@db.example.com/shop?sslmode=require')
  refused(['--database-url', url], {}, /^--database-url contains a password, which(?!.*hush)/)
  refused(
    [],
    { POSTERN_DATABASE_URL: `${url}&x=1` },
    /^POSTERN_DATABASE_URL is "postgres:\/\/ann:…@db(?!.*hush)/,
  )
  for (const wrong of [
    'postgres://ann@db/shop?password=hush',
    'postgres://ann@db/shop?sslmode=require&password=hush',
    'postgres:/ann:hush@db/shop',
    'ann:hush@db/shop',
    ' mysql://ann:hush@db/shop',
    'host=db user=ann password=hush',
    "host=db password = 'hush hush'",
    'postgres://ann:12?x=hush@db/shop',
    'postgres://ann:12?hush@db/shop',
  ])
    refused([], { POSTERN_DATABASE_URL: wrong }, /^POSTERN_DATABASE_URL is "(?!.*hush)/s)
  const spaced = readSettings([], { POSTERN_DATABASE_URL: ` ${url}` }).shown
  assert.doesNotMatch(JSON.stringify(spaced), /hush/)
  refused(['--database-url', 'postgres://ann@db/shop?password=hush'], {}, /contains a password(?!.*hush)/)
  assert.equal(readSettings(['--database-url', 'postgres://ann@db/shop'], {}).database?.user, 'ann')
  assert.equal(readSettings([], {}).database, null)
})

test('the password of Valkey is neither shown nor taken from a flag', () => {
  const url = 'rediss://ann:hush@a.example.com,b.example.com:6380'
  const settings = readSettings([], { POSTERN_VALKEY_URL: url })
  assert.equal(settings.valkey?.password, 'hush')
  const shown = settings.shown.find(({ name }) => name === 'POSTERN_VALKEY_URL')
  assert.equal(shown?.value, 'rediss://ann:…@a.example.com,b.example.com:6380')
  refused(['--valkey-url', url], {}, /^--valkey-url contains a password, which(?!.*hush)/)
  for (const wrong of [
    `${url}?x=1`,
    'redis://:hush@cache/7',
    'redis://:12?hush@cache',
    'redis://:12/hush@cache',
    'redis://:12#hush@cache',
    'redis:/ann:hush@cache',
    'ann:hush@cache',
    ' memcached://ann:hush@cache',
    'redis://ann@cache?password=hush',
  ])
    refused([], { POSTERN_VALKEY_URL: wrong }, /^POSTERN_VALKEY_URL is "(?!.*hush)/s)
  refused(
    [],
    { POSTERN_VALKEY_URL: 'redis://cache:6379' },
    /^POSTERN_VALKEY_URL is "redis:\/\/cache:6379", and must be a URL with a password or password_file, .* add \?insecure=allow\.$/,
  )
  assert.equal(readSettings([], {}).valkey, null)
})

test('what is not built refuses start and names itself', () => {
  for (const name of ['CONTROL_URL', 'NODE_TOKEN'])
    refused([], { [`POSTERN_${name}`]: 'x' }, new RegExp(`^POSTERN_${name} is not available in this version`))
  refused(['--control-url', 'http://x'], {}, /^--control-url is not available/)
  refused(['--role', 'gateway'], {}, /^--role is "gateway", and must be `all`/)
  assert.ok(readSettings(['--role', 'all'], {}))
})

test('the engine is one of two, and the one on Node.js speaks no TLS to callers', () => {
  assert.equal(readSettings([], {}).httpEngine, 'native')
  assert.equal(readSettings(['--http-engine', 'node'], {}).httpEngine, 'node')
  refused(
    [],
    { POSTERN_HTTP_ENGINE: 'other' },
    /^POSTERN_HTTP_ENGINE is "other", and must be `native` or `node`/,
  )
  refused(
    ['--http-engine', 'node', '--tls-cert', 'c.pem', '--tls-key', 'k.pem'],
    {},
    /^--http-engine is "node", which does not support TLS for callers, but --tls-cert is set/,
  )
})

test('trusted proxies are addresses and networks, TLS files come in pairs', () => {
  assert.deepEqual(readSettings([], {}).trustedProxies, [])
  assert.deepEqual(readSettings(['--trusted-proxies', '10.0.0.0/8, ::1'], {}).trustedProxies, [
    '10.0.0.0/8',
    '::1',
  ])
  for (const text of ['10.0.0.0/33', 'localhost', '10.0.0.1,', '::/129', '1.2.3', '10.0.0.0/', '*'])
    refused([], { POSTERN_TRUSTED_PROXIES: text }, /^POSTERN_TRUSTED_PROXIES is .*comma-separated list/)
  assert.deepEqual(readSettings(['--tls-cert', 'a.pem,b.pem', '--tls-key', 'a.key,b.key'], {}).tls, [
    { certificate: 'a.pem', key: 'a.key' },
    { certificate: 'b.pem', key: 'b.key' },
  ])
  refused(['--tls-cert', 'a.pem'], {}, /^--tls-cert names 1 and POSTERN_TLS_KEY \(--tls-key\) 0 files/)
  refused(['--tls-key', 'a.pem'], {}, /^POSTERN_TLS_CERT \(--tls-cert\) names 0 and --tls-key 1 files/)
})

test('the commands of the page about TLS are understood', () => {
  const page = readFileSync(new URL('../docs/tls.md', import.meta.url), 'utf8')
  const commands = [...page.matchAll(/^postern up (.+)$/gm)].map((match) => match[1]!.split(' '))
  assert.equal(commands.length, 5)
  assert.equal(readSettings(commands[0]!, {}).tls.length, 1)
  assert.equal(readSettings(commands[1]!, {}).tls.length, 2)
  const control = readSettings(commands[2]!, {})
  assert.deepEqual([control.controlTls.length, control.controlOrigin], [1, 'https://admin.example.com:8081'])
  assert.equal(readSettings(commands[3]!, {}).trustedProxies.length, 2)
  assert.equal(readSettings(commands[4]!, {}).proxyProtocol, true)
})

const OIDC = { POSTERN_OIDC_ISSUER: 'https://id.example.com/realms/staff', POSTERN_OIDC_CLIENT_ID: 'postern' }

test('an identity provider has an issuer and a client, and its secret is shown nowhere', () => {
  assert.equal(readSettings([], {}).oidc, null)
  const { oidc } = readSettings([], { ...OIDC, POSTERN_OIDC_CLIENT_SECRET: 'hunter2' })
  assert.equal(oidc?.clientSecret?.reveal(), 'hunter2')
  assert.doesNotMatch(JSON.stringify(oidc), /hunter2/)
  assert.deepEqual([oidc?.scopes, oidc?.groupsClaim, oidc?.roleMap], ['openid profile email', 'groups', []])
  assert.ok(readSettings([], { ...OIDC, POSTERN_OIDC_ISSUER: 'http://localhost:9000' }).oidc)
  const { POSTERN_OIDC_CLIENT_ID: _, ...alone } = OIDC
  refused([], alone, /^POSTERN_OIDC_ISSUER needs POSTERN_OIDC_CLIENT_ID \(--oidc-client-id\)/)
  for (const name of ['CLIENT_ID', 'CLIENT_SECRET', 'CLIENT_SECRET_FILE'])
    refused(
      [],
      { [`POSTERN_OIDC_${name}`]: 'hunter2' },
      /^POSTERN_OIDC_\w+ is for an identity provider: (?!.*hunter2)/,
    )
  refused(
    [],
    { ...OIDC, POSTERN_OIDC_CLIENT_SECRET: 'hunter2', POSTERN_OIDC_CLIENT_SECRET_FILE: 'f' },
    /^POSTERN_OIDC_CLIENT_SECRET and POSTERN_OIDC_CLIENT_SECRET_FILE are both set(?!.*hunter2)/,
  )
  for (const issuer of [
    'http://id.example.com',
    'https://a@b',
    'https://id.example.com?x',
    'https://169.254.169.254',
  ])
    refused([], { ...OIDC, POSTERN_OIDC_ISSUER: issuer }, /must be an https URL without query/)
  for (const [given, fault] of [
    [{ AUTH: 'private_key_jwt' }, /is "private_key_jwt", which needs POSTERN_OIDC_CLIENT_KEY_FILE/],
    [{ AUTH: 'client_secret_post' }, /is "client_secret_post", which needs POSTERN_OIDC_CLIENT_SECRET/],
    [{ AUTH: 'none', SECRET: 'hunter2' }, /is "none", and POSTERN_OIDC_CLIENT_SECRET is set/],
    [{ SECRET: 'hunter2', KEY_FILE: 'f' }, /SECRET and POSTERN_OIDC_CLIENT_KEY_FILE.* are both set/],
    [{ AUTH: 'none', KEY_FILE: 'f' }, /KEY_FILE.* is for "private_key_jwt"/],
    [{ AUTH: 'basic' }, /must be `auto`, `client_secret_basic`, `client_secret_basic_raw`/],
  ] as const) {
    const env = Object.entries(given).map(([name, text]) => [`POSTERN_OIDC_CLIENT_${name}`, text])
    refused([], { ...OIDC, ...Object.fromEntries(env) }, fault)
  }
  refused([], { ...OIDC, POSTERN_OIDC_SCOPES: 'profile' }, /with openid among them/)
  refused([], { POSTERN_OIDC_DIRECT: 'on' }, /^POSTERN_OIDC_DIRECT needs POSTERN_OIDC_ISSUER/)
  refused(
    [],
    { ...OIDC, POSTERN_OIDC_AUDIENCE: 'postern' },
    /are the same, so Postern could not distinguish ID tokens/,
  )
})

test('a role map is rules of a claim, its value and a grant', () => {
  const map = (text: string) => readSettings([], { ...OIDC, POSTERN_OIDC_ROLE_MAP: text }).oidc?.roleMap
  assert.deepEqual(
    map(
      'group:platform=admin; group:cn=devs,dc=example = modifier:proxies,policies@payments ;\n realm.roles:a:b=auditor;*=viewer;',
    ),
    [
      { claim: 'group', value: 'platform', grant: 'admin' },
      { claim: 'group', value: 'cn=devs,dc=example', grant: 'modifier:proxies,policies@payments' },
      { claim: 'realm.roles', value: 'a:b', grant: 'auditor' },
      { claim: '*', value: null, grant: 'viewer' },
    ],
  )
  for (const text of ['admin', 'group=admin', 'group:=admin', ':x=admin', 'group:x=', '=admin', '*:x=admin'])
    refused([], { ...OIDC, POSTERN_OIDC_ROLE_MAP: text }, /claim:value=grant or \*=grant/)
  refused([], { ...OIDC, POSTERN_OIDC_ROLE_MAP: '*=viewer;'.repeat(201) }, /at most 200 rules/)
})

test('the names of the command line client and empty variables are let through', () => {
  const env = {
    POSTERN_TOKEN: 'x',
    POSTERN_URL: 'http://x',
    POSTERN_DATABASE_URL: '',
    POSTERN_LISTEN: '',
    HOME: '/',
  }
  assert.equal(readSettings([], env).listen.port, 8080)
  assert.deepEqual(readSettings([], { POSTERN_EXPOSE: '' }).expose, [])
})

test('any flags and values either make settings or refuse with one sentence', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('--listen', '--workers', '--expose', '--', '-', '[::1]:1', '1'),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      try {
        readSettings(argv, {})
      } catch (error) {
        assert.ok(error instanceof CannotStart)
        assert.doesNotMatch(error.message, /\n/)
      }
    }),
    { numRuns: 500 },
  )
})

test('docs/settings.md is printed from the schema', () => {
  golden('docs/settings.md', settingsReference())
  assert.match(settingsHelp(), /--control-listen <value>/)
})

test('the help of `postern up` has each text below its flag, and no markup', () => {
  assert.match(
    settingsHelp(),
    /\n {2}--audit-keep <value>\n {6}How long .+ See docs\/audit\.md\. \(default: 400d\)\n/,
  )
  assert.doesNotMatch(settingsHelp(), /\]\(|`/)
})
