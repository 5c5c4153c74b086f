import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { SETTING_NAMES } from '../../src/settings/schema.ts'
import { readSettings } from '../../src/settings.ts'
import { loadKeys } from '../../src/vault/keys.ts'
import { golden } from '../golden/golden.ts'
import { CHART_YAML, DEFAULTS, faultsOf, merged, only, type Rendered, render, type Values } from './chart.ts'
import { fullValues } from './full.ts'
import { OPTIONS, valuesWith } from './options.ts'
import { containersOf, faultsOfManifests, podOf } from './validate.ts'

test('the chart has the version of Postern', () => {
  const { version } = JSON.parse(
    readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'),
  ) as { version: string }
  assert.equal(CHART_YAML['version'], version)
  assert.equal(CHART_YAML['appVersion'], version)
})

test('default values render to valid manifests, which are the ones in test/helm/golden', () => {
  const rendered = render()
  assert.deepEqual(faultsOfManifests(rendered.manifests), [])
  golden('test/helm/golden/default.yaml', rendered.text)
  golden('test/helm/golden/default-notes.txt', rendered.notes)
})

test('all options together render to valid manifests, which are the ones in test/helm/golden', () => {
  const rendered = render(fullValues())
  assert.deepEqual(faultsOfManifests(rendered.manifests), [])
  golden('test/helm/golden/full.yaml', rendered.text)
})

/** Paths of the values, down to lists, to objects of Kubernetes, and to the settings as one. */
function pathsOf(values: Values, prefix = ''): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    const path = `${prefix}${name}`
    const isGroup =
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
    return isGroup && path !== 'settings' && path !== 'resources'
      ? pathsOf(value as Values, `${path}.`)
      : [path]
  })
}

test('each value of values.yaml changes what is rendered, and leaves it valid', () => {
  assert.deepEqual(Object.keys(OPTIONS).sort(), pathsOf(DEFAULTS).sort())
  const full = fullValues()
  const fullText = render(full).text
  for (const [path, { value, beside }] of Object.entries(OPTIONS)) {
    const base = beside === undefined ? full : merged(full, beside)
    const before = beside === undefined ? fullText : render(base).text
    const after = render(merged(base, valuesWith(path, value)))
    assert.notEqual(after.text, before, path)
    assert.deepEqual(faultsOfManifests(after.manifests), [], path)
  }
})

test('a value alone over the defaults renders to valid manifests, unless it needs another value', () => {
  // What these values need is said by the chart: values.test.ts
  const needs = [
    'ingress.enabled',
    'httpRoute.enabled',
    'serviceMonitor.enabled',
    'runner.address',
    'database.directUrl',
  ]
  for (const [path, { value, beside = {} }] of Object.entries(OPTIONS)) {
    if (needs.includes(path) || path === 'extraVolumes' || path === 'extraVolumeMounts') continue
    const { manifests } = render(merged(beside, valuesWith(path, value)))
    assert.deepEqual(faultsOfManifests(manifests), [], path)
  }
})

/** The environment of the process in the pod. */
function environmentOf(rendered: Rendered): Record<string, string> {
  const { data } = only(rendered, 'ConfigMap') as unknown as { data: Record<string, string> }
  return data
}

for (const [name, values] of [
  ['default values', {}],
  ['all options', fullValues()],
] as const)
  test(`Postern accepts the environment of the pod, and its paths are on volumes: ${name}`, () => {
    const rendered = render(values)
    const environment = environmentOf(rendered)
    assert.doesNotThrow(() => readSettings([], environment))
    const mounts = containersOf(podOf(rendered.manifests))
      .at(-1)!
      .volumeMounts!.map(({ mountPath }) => mountPath)
    const paths = Object.values(environment).filter((text) => text.startsWith('/'))
    assert.ok(paths.length >= 2)
    for (const path of paths)
      assert.ok(
        mounts.some((mount) => path.startsWith(`${mount}/`) || path === mount),
        path,
      )
  })

test('settings reach the process as written: booleans of YAML 1.1 as on and off, large numbers whole, empty texts empty', () => {
  const environment = environmentOf(render(fullValues()))
  assert.equal(environment['POSTERN_AUDIT_HOLD'], 'on')
  assert.equal(environment['POSTERN_LOCAL_SIGN_IN'], 'off')
  assert.equal(environment['POSTERN_CONNECTIONS_PER_SOURCE_MAX'], '1000000')
  assert.equal(environment['POSTERN_EXPOSE'], '')
})

/** Settings that are secrets themselves. */
const SECRETS = SETTING_NAMES.filter((name) => /(SECRET|TOKEN|PASSWORD)$/.test(name))

test('no secret is in a ConfigMap, and the chart makes no Secret', () => {
  assert.deepEqual(SECRETS, ['OIDC_CLIENT_SECRET'])
  for (const values of [{}, fullValues()]) {
    const rendered = render(values)
    assert.ok(!rendered.manifests.some(({ kind }) => kind === 'Secret'))
    for (const name of SECRETS) assert.ok(!Object.hasOwn(environmentOf(rendered), `POSTERN_${name}`))
  }
  for (const name of SECRETS) assert.notDeepEqual(faultsOf({ settings: { [name]: 'x' } }), [])
})

test('the checksum in the annotations changes with the environment, and with nothing else', () => {
  const checksumOf = (values: Values) =>
    podOf(render(values).manifests).metadata.annotations['checksum/config']
  assert.match(checksumOf({})!, /^[0-9a-f]{64}$/)
  assert.equal(checksumOf({ podLabels: { a: 'b' }, resources: { limits: { cpu: '2' } } }), checksumOf({}))
  const others: readonly Values[] = [
    { settings: { ENV: 'production' } },
    { origin: 'https://a.example.com' },
    { credentials: { existingSecret: 'a' } },
  ]
  for (const values of others) assert.notEqual(checksumOf(values), checksumOf({}))
})

/** What several pods need. */
const SEVERAL: Values = {
  replicas: 3,
  database: { url: 'postgres://postern@db.example.com/postern' },
  key: { existingSecret: 'vault-key' },
}

test('several pods share a database and a key, have a volume each, and start, stop and move one after the other', () => {
  const rendered = render(SEVERAL)
  assert.deepEqual(faultsOfManifests(rendered.manifests), [])
  const set = only(rendered, 'StatefulSet')['spec'] as Record<string, unknown>
  assert.deepEqual(
    [set['replicas'], set['updateStrategy'], set['minReadySeconds']],
    [3, { type: 'RollingUpdate' }, 10],
  )
  const [claim] = set['volumeClaimTemplates'] as { metadata: { name: string } }[]
  assert.equal(claim!.metadata.name, 'data')
  assert.ok(!rendered.manifests.some(({ kind }) => kind === 'PersistentVolumeClaim'))
  const budget = only(rendered, 'PodDisruptionBudget')['spec'] as Record<string, unknown>
  assert.equal(budget['maxUnavailable'], 1)
  const spread = podOf(rendered.manifests).spec['topologySpreadConstraints'] as Record<string, unknown>[]
  assert.deepEqual(
    spread.map((one) => [one['topologyKey'], one['whenUnsatisfiable'], one['labelSelector']]),
    ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((key) => [
      key,
      'ScheduleAnyway',
      budget['selector'],
    ]),
  )
})

test('one pod becomes several without a change of what Kubernetes never changes in a StatefulSet', () => {
  const one = only(render({ ...SEVERAL, replicas: 1 }), 'StatefulSet')['spec'] as object
  const several = only(render(SEVERAL), 'StatefulSet')['spec'] as object
  const changeable = ['replicas', 'template', 'updateStrategy', 'minReadySeconds', 'ordinals']
  const lasting = (spec: object) => Object.entries(spec).filter(([name]) => !changeable.includes(name))
  assert.deepEqual(lasting(several), lasting(one))
  // Nor does the version of the chart stand in it
  assert.doesNotMatch(JSON.stringify(lasting(one)), /helm\.sh|version/)
})

test('both URLs of the database get the path of the password, and none without a secret', () => {
  const urlsOf = (values: Values) => {
    const environment = environmentOf(render(values))
    return [environment['POSTERN_DATABASE_URL'], environment['POSTERN_DATABASE_DIRECT_URL']]
  }
  const [url, directUrl] = ['postgres://p@pooler/p?sslmode=require', 'postgres://p@db/p']
  assert.deepEqual(urlsOf({ database: { url, directUrl } }), [url, directUrl])
  const file = 'password_file=/etc/postern/database/password'
  assert.deepEqual(urlsOf({ database: { url, directUrl, existingSecret: 'word' } }), [
    `${url}&${file}`,
    `${directUrl}?${file}`,
  ])
  assert.deepEqual(urlsOf({ database: { url } }), [url, undefined])
})

test('the URL of Valkey gets the path of the password, and none without a secret', () => {
  const urlOf = (valkey: Values) => environmentOf(render({ valkey }))['POSTERN_VALKEY_URL']
  const url = 'redis://cache:6379'
  const file = 'password_file=/etc/postern/valkey/word'
  const secret = { existingSecret: 'valkey', keys: { password: 'word' } }
  assert.equal(urlOf({ url: `${url}?insecure=allow` }), `${url}?insecure=allow`)
  assert.equal(urlOf({ url, ...secret }), `${url}?${file}`)
  assert.equal(urlOf({ url: `${url}?sslrootcert=/ca.pem`, ...secret }), `${url}?sslrootcert=/ca.pem&${file}`)
  assert.equal(urlOf(secret), undefined)
})

test('an instance is one pod, and names of objects fit however long the release is called', () => {
  const name = 'r'.repeat(53)
  const rendered = render({}, { name, namespace: 'apis' })
  assert.deepEqual(faultsOfManifests(rendered.manifests), [])
  assert.equal((only(rendered, 'StatefulSet')['spec'] as { replicas: number }).replicas, 1)
  assert.equal(
    only(render({}, { name: 'postern', namespace: 'apis' }), 'StatefulSet').metadata.name,
    'postern',
  )
})

test('only the gateway is reachable unless peers of the control listener are named', () => {
  const policyOf = (values: Values) =>
    only(render(values), 'NetworkPolicy')['spec'] as { ingress: object[]; policyTypes: string[] }
  assert.deepEqual(policyOf({}), {
    ...policyOf({}),
    policyTypes: ['Ingress'],
    ingress: [{ ports: [{ port: 'gateway', protocol: 'TCP' }] }],
  })
  const controlFrom = [{ podSelector: {} }]
  assert.deepEqual(policyOf({ networkPolicy: { controlFrom } }).ingress[1], {
    ports: [{ port: 'control', protocol: 'TCP' }],
    from: controlFrom,
  })
  assert.deepEqual(policyOf({ networkPolicy: { egress: { restricted: true } } }).policyTypes, [
    'Ingress',
    'Egress',
  ])
})

test('the pod stops after a pause, with more time than a stop takes, and its probes follow the scheme', () => {
  const [container] = podOf(render().manifests).spec.containers
  assert.deepEqual(container!['lifecycle'], { preStop: { sleep: { seconds: 5 } } })
  assert.ok(Number(podOf(render().manifests).spec['terminationGracePeriodSeconds']) >= 5 + 30 + 10)
  const secured = podOf(render({ control: { tls: { existingSecret: 'a' } } }).manifests).spec.containers[0]!
  for (const [name, path] of [
    ['startupProbe', '/healthz'],
    ['livenessProbe', '/healthz'],
    ['readinessProbe', '/readyz'],
  ] as const) {
    const probe = (container![name] as { httpGet: object }).httpGet
    assert.deepEqual(probe, { path, port: 'control', scheme: 'HTTP' })
    assert.deepEqual((secured[name] as { httpGet: object }).httpGet, { ...probe, scheme: 'HTTPS' })
  }
})

test('a key file from a secret is copied so that its owner alone can read it, and Postern cannot write to the copy', () => {
  const { spec } = podOf(render({ key: { existingSecret: 'vault-key' } }).manifests)
  const [init] = spec.initContainers!
  const top = mkdtempSync(join(tmpdir(), 'postern-key-'))
  const [from, to] = [join(top, 'from'), join(top, 'to')]
  mkdirSync(from)
  mkdirSync(to)
  writeFileSync(join(from, 'vault.key'), `k1 ${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o440 })
  const script = init!.command![2]!.replaceAll('/keys/', `${to}/`).replaceAll('/etc/postern/key/', `${from}/`)
  // A second time, as after a restart of the node
  for (const run of [1, 2]) {
    const { status, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' })
    assert.equal(status, 0, `${run}: ${stderr}`)
    assert.equal(statSync(join(to, 'vault.key')).mode & 0o777, 0o600)
    assert.deepEqual([...loadKeys(join(to, 'vault.key'), false).keys.map(({ id }) => id)], ['k1'])
  }
  rmSync(top, { recursive: true })
  const keys = spec.containers[0]!.volumeMounts!.find(({ name }) => name === 'keys')
  assert.deepEqual(keys, { name: 'keys', mountPath: '/keys', readOnly: true })
})
