/** What an operator of several nodes copies: the Compose file, the configuration of its load balancer, and the commands of the page. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { LEASE_SCRIPTS } from '../src/gateway/admit/lease-scripts.ts'
import { lookAtValkey } from '../src/serve/places.ts'
import { readSettings } from '../src/settings.ts'
import { ownPort } from './support/ports.ts'
import { Place } from './support/programs.ts'
import { NO_VALKEY, VALKEY_SERVER, valkeyAddress } from './support/valkey.ts'

const FOLDER = resolve(import.meta.dirname, '../deploy/compose')
const CADDYFILE = join(FOLDER, 'Caddyfile')
const PAGE = resolve(import.meta.dirname, '../docs/several-nodes.md')

interface Service {
  readonly hostname?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly secrets?: readonly string[]
  readonly [name: string]: unknown
}

const file = parse(readFileSync(join(FOLDER, 'several-nodes.yaml'), 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly volumes: object
  readonly networks: { readonly default: { readonly ipam: { readonly config: readonly object[] } } }
}
const { balancer, database, valkey, ...nodes } = file.services

/** What Compose puts in the place of `${NAME:-default}`. */
const filled = (text: string): string => text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1')

function settingsOf({ environment = {} }: Service) {
  return readSettings(
    [],
    Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, filled(value)])),
  )
}

test('each node has the settings and the key of the other one, and a name and a volume of its own', () => {
  assert.deepEqual(Object.keys(nodes), ['node-a', 'node-b'])
  const own = (name: string, node: Service) => {
    const { hostname, volumes, ...same } = node
    assert.equal(hostname, name)
    assert.deepEqual(volumes, [`data-${name.at(-1)}:/data`])
    return same
  }
  const [first, ...others] = Object.entries(nodes).map(([name, node]) => own(name, node))
  for (const other of others) assert.deepEqual(other, first)
  const settings = settingsOf(nodes['node-a']!)
  assert.equal(settings.keyFile, '/run/secrets/vault-key')
  assert.deepEqual(
    [
      settings.database?.host,
      settings.database?.user,
      settings.database?.password,
      settings.database?.passwordFile,
    ],
    ['database', database!.environment!['POSTGRES_USER'], '', '/run/secrets/database-password'],
  )
  assert.equal(settings.database?.database, database!.environment!['POSTGRES_DB'])
  assert.deepEqual(file.networks.default.ipam.config, [
    { subnet: nodes['node-a']!.environment!['POSTERN_TRUSTED_PROXIES'] },
  ])
})

test('only the balancer is reachable, and only from this machine; nodes keep no rights', () => {
  for (const service of [database!, valkey!, ...Object.values(nodes)]) assert.equal(service.ports, undefined)
  for (const port of balancer!.ports!)
    assert.match(port, /^(127\.0\.0\.1|\$\{POSTERN_BIND:-127\.0\.0\.1\}):\d+:\d+$/)
  for (const service of [balancer!, valkey!, ...Object.values(nodes)])
    assert.deepEqual(
      [service['read_only'], service['cap_drop'], service['security_opt'], service['privileged']],
      [true, ['ALL'], ['no-new-privileges:true'], undefined],
    )
})

test('each secret and each volume that a service names is there, and no secret is in an environment', () => {
  const named = Object.values(file.services).flatMap(({ secrets = [] }) => secrets)
  assert.deepEqual([...new Set(named)].sort(), Object.keys(file.secrets).sort())
  for (const { file: place } of Object.values(file.secrets)) assert.match(place, /^\$\{POSTERN_SECRETS:\?/)
  const mounted = Object.values(file.services)
    .flatMap(({ volumes = [] }) => volumes.map((one) => one.split(':')[0]!))
    .filter((name) => !name.startsWith('.'))
  assert.deepEqual(mounted.sort(), Object.keys(file.volumes).sort())
})

test('Valkey starts with the password of the secret, which is in no argument, and nodes name it', {
  skip: NO_VALKEY,
}, async () => {
  const { valkey: address } = settingsOf(nodes['node-a']!)
  assert.deepEqual(
    [address?.servers, address?.password, address?.passwordFile],
    [[{ host: 'valkey', port: 6379 }], '', '/run/secrets/valkey-password'],
  )
  await using place = new Place('redis')
  place.write('password', 'tulip-4-secret\n')
  const port = await ownPort()
  const script = (valkey!['command'] as readonly string[])
    .at(-1)!
    // As Compose reads it
    .replaceAll('$$', '$')
    .replace('/run/secrets/valkey-password', join(place.directory, 'password'))
    .replaceAll('/tmp/', `${place.directory}/`)
    .replace('valkey-server', VALKEY_SERVER!)
    .trimEnd()
  await place.serve('/bin/sh', ['-c', `${script} --bind 127.0.0.1 --port ${port}`], port)
  const file = join(place.directory, 'password')
  const [found] = await lookAtValkey(valkeyAddress(`redis://127.0.0.1:${port}?password_file=${file}`))
  assert.ok(typeof found?.facts === 'object', JSON.stringify(found))
  assert.equal(found.facts.policy, 'noeviction')
  const [open] = await lookAtValkey(valkeyAddress(`redis://127.0.0.1:${port}`))
  assert.match(String(open?.facts), /NOAUTH/)
})

test('the user of Valkey that the page makes may run each command of the scripts', () => {
  const [, line] = /^ACL SETUSER postern (.*)$/m.exec(readFileSync(PAGE, 'utf8')) ?? []
  const granted = new Set(line!.split(' '))
  const called = Object.values(LEASE_SCRIPTS).flatMap((source) =>
    [...source.matchAll(/redis\.p?call\('(\w+)'/g)].map(([, name]) => `+${name!.toLowerCase()}`),
  )
  assert.ok(called.length > 5)
  assert.deepEqual(
    called.filter((name) => !granted.has(name)),
    [],
  )
  const unused = [...granted].filter((one) => /^\+h|^\+p/.test(one) && !called.includes(one))
  assert.deepEqual(unused, [])
})

test('the balancer sends requests of both listeners to every node that is ready', (t) => {
  const written = readFileSync(CADDYFILE, 'utf8')
  assert.deepEqual(balancer!.volumes![0], './Caddyfile:/etc/caddy/Caddyfile:ro')
  const { listen, controlListen } = settingsOf({
    environment: { POSTERN_LISTEN: ':8080', POSTERN_CONTROL_LISTEN: ':8081' },
    volumes: [],
  })
  for (const { port } of [listen, controlListen]) {
    const all = Object.keys(nodes).map((name) => `${name}:${port}`)
    const sent = [...written.matchAll(/^\treverse_proxy (?:@\w+ )?(.*) \{$/gm)].map(([, to]) => to!)
    assert.ok(sent.includes(all.join(' ')), String(port))
    assert.ok(written.includes(`\nhttp://:${port} {\n`), String(port))
  }
  assert.match(written, /^\thealth_uri \/readyz$/m)
  const { error, status, stderr } = spawnSync(
    'caddy',
    ['validate', '--adapter', 'caddyfile', '--config', CADDYFILE],
    { encoding: 'utf8' },
  )
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT')
    return t.diagnostic('caddy is not here: its configuration was not validated')
  assert.equal(status, 0, stderr)
})

/** Commands of a shell on the page, by block. */
const blocks = [...readFileSync(PAGE, 'utf8').matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].map(([, text]) =>
  text!.split('\n').map((line) => line.trim()),
)

/** What `postern up` reads in a block: the exports, and its flags. */
function startsOf(lines: readonly string[]) {
  const pairs = lines
    .filter((line) => line.startsWith('export '))
    .flatMap((line) => line.split(' ').slice(1))
    .map((pair) => pair.replaceAll("'", '').replace('$PWD', '/srv'))
  const env = Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
  return lines
    .filter((line) => line.startsWith('postern up '))
    .map((line) => readSettings(line.replace(/ > .*/, '').split(' ').slice(2), env))
}

test('the commands of the page start nodes of one installation, on ports and directories of their own', () => {
  const [local, several] = blocks.map(startsOf).filter((starts) => starts.length > 0)
  assert.equal(local!.length, 3)
  const ports = local!.flatMap(({ listen, controlListen }) => [listen.port, controlListen.port])
  assert.equal(new Set(ports).size, 6)
  assert.equal(new Set(local!.map(({ data }) => data)).size, 3)
  const [first] = local!
  for (const { database, keyFile, origin } of local!)
    assert.deepEqual([database, keyFile, origin], [first!.database, '/srv/vault.key', first!.origin])
  assert.equal(several!.length, 1)
  assert.notEqual(several![0]!.database, null)
})
