/** values.yaml, values.schema.json and docs/kubernetes.md have the same values, and the schema refuses wrong ones. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { RE2JS } from 're2js'
import { SETTING_NAMES } from '../../src/settings/schema.ts'
import { goldenPart } from '../golden/golden.ts'
import {
  DEFAULTS,
  faultsOf,
  isObject,
  render,
  VALUES_SCHEMA,
  type Value,
  type ValueSchema,
  type Values,
  valuesOf,
} from './chart.ts'
import { fullValues } from './full.ts'
import { FUNCTIONS } from './functions.ts'

/** Values that users set, by path: members of closed objects, except the settings, which are one. */
function leavesOf(schema: ValueSchema, path = ''): [path: string, schema: ValueSchema][] {
  if (schema.properties === undefined || path === 'settings') return [[path, schema]]
  return Object.entries(schema.properties).flatMap(([name, member]) =>
    leavesOf(member, path === '' ? name : `${path}.${name}`),
  )
}

const LEAVES = leavesOf(VALUES_SCHEMA)
/** Helm gives it to a chart that is part of another one; this chart has no default for it. */
const OF_HELM = 'global'

function valueAt(values: Values, path: string): Value | undefined {
  let value: Value | undefined = values
  for (const name of path.split('.')) value = isObject(value) ? value[name] : undefined
  return value
}

test('values.yaml has exactly the values of the schema', () => {
  assert.deepEqual(faultsOf({}), [], 'the schema has each value, and takes its default')
  const missing = LEAVES.filter(([path]) => path !== OF_HELM && valueAt(DEFAULTS, path) === undefined)
  assert.deepEqual(
    missing.map(([path]) => path),
    [],
  )
})

test('docs/kubernetes.md has the table of all values, printed from the schema', () => {
  const rows = LEAVES.map(([path, { description }]) => {
    const value = valueAt(DEFAULTS, path)
    const shown =
      value === undefined || value === ''
        ? 'empty'
        : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
    assert.match(description ?? '', /^[^|]+\.$/, `${path} is described in sentences`)
    return `| \`${path}\` | ${shown} | ${description} |\n`
  })
  goldenPart('docs/kubernetes.md', 'values', `| value | default | meaning |\n|---|---|---|\n${rows.join('')}`)
})

test('docs/kubernetes.md names each function of the subset', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/kubernetes.md'), 'utf8')
  for (const name of [...Object.keys(FUNCTIONS), 'and', 'or', 'include', 'define', 'if', 'with', 'range'])
    assert.ok(page.includes(`\`${name}\``), name)
})

/** Objects of a schema that take members of any name. */
const OPEN = [
  'affinity',
  'control.service.annotations',
  'global',
  'httpRoute.annotations',
  'ingress.annotations',
  'nodeSelector',
  'persistence.annotations',
  'podAnnotations',
  'podLabels',
  'resources',
  'service.annotations',
  'serviceAccount.annotations',
  'serviceMonitor.labels',
  'serviceMonitor.tlsConfig',
]

function objectsOf(schema: ValueSchema, path = ''): [path: string, schema: ValueSchema][] {
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    objectsOf(member, path === '' ? name : `${path}.${name}`),
  )
  return schema.type === 'object' ? [[path, schema], ...below] : below
}

test('the schema is of draft-07, and closed except where Kubernetes or the user chooses the names', () => {
  assert.equal(VALUES_SCHEMA['$schema'], 'http://json-schema.org/draft-07/schema#')
  const open = objectsOf(VALUES_SCHEMA).filter(([, schema]) => schema.additionalProperties !== false)
  assert.deepEqual(open.map(([path]) => path).sort(), OPEN)
})

/** Settings that the chart sets itself, or that are secrets. */
const OF_THE_CHART = [
  'DATA',
  'LISTEN',
  'CONTROL_LISTEN',
  'CONTROL_ORIGIN',
  'ORIGIN',
  'KEY_FILE',
  'TLS_CERT',
  'TLS_KEY',
  'TLS_CLIENT_CA',
  'CONTROL_TLS_CERT',
  'CONTROL_TLS_KEY',
  'SECRETS_DIR',
  'VAULT_TOKEN_FILE',
  'VAULT_SECRET_ID_FILE',
  'VAULT_KUBERNETES_ROLE',
  'VAULT_KUBERNETES_TOKEN_FILE',
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
  'VALKEY_URL',
  'RUNNER',
  'RUNNER_TOKEN_FILE',
  'OIDC_CLIENT_SECRET',
  'OIDC_CLIENT_SECRET_FILE',
  'OIDC_CLIENT_KEY_FILE',
  'OIDC_PROVIDERS_FILE',
  'ROLE',
]

test('settings takes each setting of Postern that has no value of its own in the chart', () => {
  const taken = Object.keys(VALUES_SCHEMA.properties!['settings']!.properties!)
  assert.deepEqual(taken.sort(), SETTING_NAMES.filter((name) => !OF_THE_CHART.includes(name)).sort())
  for (const name of OF_THE_CHART)
    assert.ok(
      SETTING_NAMES.some((one) => one === name),
      name,
    )
})

test('no value takes a secret: those about secrets and tokens take names and keys of secrets', () => {
  const about = LEAVES.filter(([path]) => /secret|token|password|credential|(?<!val)key/i.test(path)).map(
    ([path]) => path,
  )
  assert.deepEqual(
    about.filter(
      (path) => !/\.existingSecret$|\.keys\.\w+$|^key\.persistence\.\w+$|^imagePullSecrets$/.test(path),
    ),
    [],
  )
})

/** Patterns of a schema, at any depth. */
function patternsOf(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(patternsOf)
  if (!isObject(schema)) return []
  return Object.entries(schema).flatMap(([name, value]) =>
    name === 'pattern' && typeof value === 'string' ? [value] : patternsOf(value),
  )
}

test('each pattern is one that Go reads: without look-around and back references', () => {
  const patterns = patternsOf(VALUES_SCHEMA)
  assert.ok(patterns.length > 10)
  for (const pattern of patterns) assert.doesNotThrow(() => RE2JS.compile(pattern), pattern)
})

const WRONG: readonly (readonly [yaml: string, fault: RegExp])[] = [
  ['replica: 2', /^values must NOT have additional properties: replica$/],
  ['replicas: 0', /^replicas must be >= 1$/],
  ['replicas: 1.5', /^replicas must be integer$/],
  ['image: {name: postern}', /^image must NOT have additional properties: name$/],
  ['image: {repository: ""}', /^image\.repository must NOT have fewer than 1 characters$/],
  ['image: {repository: "postern:latest"}', /^image\.repository must match pattern/],
  [
    'image: {pullPolicy: always}',
    /^image\.pullPolicy must be equal to one of the allowed values: Always,IfNotPresent,Never$/,
  ],
  ['origin: gateway.example.com', /^origin must match pattern/],
  ['origin: https://gateway.example.com/', /^origin must match pattern/],
  ['settings: {WORKER: 2}', /^settings must NOT have additional properties: WORKER$/],
  ['settings: {POSTERN_WORKERS: 2}', /^settings must NOT have additional properties: POSTERN_WORKERS$/],
  ['settings: {OIDC_CLIENT_SECRET: s}', /^settings must NOT have additional properties: OIDC_CLIENT_SECRET$/],
  ['settings: {LISTEN: ":80"}', /^settings must NOT have additional properties: LISTEN$/],
  ['settings: {CORS_ORIGINS: [a]}', /^settings\.CORS_ORIGINS must be string,number,boolean$/],
  ['service: {port: 70000}', /^service\.port must be <= 65535$/],
  ['service: {port: "80"}', /^service\.port must be integer$/],
  ['service: {annotations: {a: 1}}', /^service\.annotations\.a must be string$/],
  [
    'control: {service: {type: LoadBalancer}}',
    /^control\.service must NOT have additional properties: type$/,
  ],
  ['persistence: {accessModes: [ReadWriteMany]}', /^persistence\.accessModes\.0 must be equal to one of/],
  ['persistence: {size: 20 GB}', /^persistence\.size must match pattern/],
  ['key: {existingSecret: Vault_Key}', /^key\.existingSecret must match pattern/],
  ['key: {value: abc}', /^key must NOT have additional properties: value$/],
  ['database: {directUrl: "postgres://postern:word@db/postern"}', /^database\.directUrl must match pattern/],
  ['valkey: {url: "redis://postern:word@cache:6379"}', /^valkey\.url must match pattern/],
  ['valkey: {url: "redis://:word@cache:6379"}', /^valkey\.url must match pattern/],
  ['runner: {address: "unix:/run/runner.sock"}', /^runner\.address must match pattern/],
  ['security: {runAsUser: 0}', /^security\.runAsUser must be >= 1$/],
  ['security: {privileged: true}', /^security must NOT have additional properties: privileged$/],
  ['extraEnv: [{name: POSTERN_WORKERS, value: "2"}]', /^extraEnv\.0\.name must NOT be valid$/],
  ['extraEnv: [{name: SECRET_A, value: s}]', /^extraEnv\.0 must have required property 'valueFrom'$/],
  [
    'extraVolumes: [{name: host, hostPath: {path: /}}]',
    /^extraVolumes\.0 must NOT have additional properties: hostPath$/,
  ],
  ['podLabels: {app.kubernetes.io/name: other}', /^podLabels must NOT be valid$/],
  ['serviceMonitor: {interval: 30}', /^serviceMonitor\.interval must be string$/],
  ['serviceAccount: {automount: true}', /^serviceAccount must NOT have additional properties: automount$/],
  ['terminationGracePeriodSeconds: 5', /^terminationGracePeriodSeconds must be >= 30$/],
]

test('a wrong value is refused by the schema, with its place and what it must be', () => {
  for (const [yaml, fault] of WRONG) {
    const faults = faultsOf(valuesOf(yaml))
    assert.match(faults[0] ?? '', fault, `${yaml}: ${faults.join('; ')}`)
  }
})

const SEVERAL = /replicas above 1 needs database\.url and key\.existingSecret/

const TOGETHER: readonly (readonly [given: Values, fault: RegExp])[] = [
  [
    { ingress: { enabled: true, hosts: ['a.example.com'] } },
    /ingress\.enabled and httpRoute\.enabled need origin/,
  ],
  [
    { httpRoute: { enabled: true, parentRefs: [{ name: 'a' }] } },
    /ingress\.enabled and httpRoute\.enabled need origin/,
  ],
  [{ origin: 'https://a.example.com', ingress: { enabled: true } }, /ingress\.enabled needs ingress\.hosts/],
  [
    { origin: 'https://a.example.com', httpRoute: { enabled: true } },
    /httpRoute\.enabled needs httpRoute\.parentRefs/,
  ],
  [{ serviceMonitor: { enabled: true } }, /serviceMonitor\.enabled needs serviceMonitor\.existingSecret/],
  [{ runner: { address: 'http://runner:7800' } }, /runner\.address needs runner\.existingSecret/],
  [{ replicas: 2 }, SEVERAL],
  [{ replicas: 2, database: { url: 'postgres://postern@db/postern' } }, SEVERAL],
  [{ replicas: 2, key: { existingSecret: 'vault-key' } }, SEVERAL],
  [
    {
      replicas: 2,
      database: { url: 'postgres://postern@db/postern' },
      key: { existingSecret: 'vault-key' },
      persistence: { existingClaim: 'data' },
    },
    /replicas above 1 needs persistence\.existingClaim to be empty/,
  ],
  [{ database: { directUrl: 'postgres://postern@db/postern' } }, /database\.directUrl needs database\.url/],
]

test('a value that needs another one is refused with the name of that', () => {
  for (const [given, fault] of TOGETHER) assert.throws(() => render(given), fault)
})

test('full-values.yaml is taken by the schema', () => {
  assert.deepEqual(faultsOf(fullValues()), [])
})
