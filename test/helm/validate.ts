/** What is wrong with manifests: against the schemas of Kubernetes, and in what they name of each other. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import formats from 'ajv-formats'
import { isObject, type Manifest } from './chart.ts'
import { CUSTOM_RESOURCES } from './custom-resources.ts'

/** Names of the definitions in kubernetes.json, by `apiVersion` and `kind`. */
const DEFINED: Readonly<Record<string, string>> = {
  'v1 ConfigMap': 'api.core.v1.ConfigMap',
  'v1 PersistentVolumeClaim': 'api.core.v1.PersistentVolumeClaim',
  'v1 Service': 'api.core.v1.Service',
  'v1 ServiceAccount': 'api.core.v1.ServiceAccount',
  'apps/v1 StatefulSet': 'api.apps.v1.StatefulSet',
  'networking.k8s.io/v1 Ingress': 'api.networking.v1.Ingress',
  'networking.k8s.io/v1 NetworkPolicy': 'api.networking.v1.NetworkPolicy',
  'policy/v1 PodDisruptionBudget': 'api.policy.v1.PodDisruptionBudget',
}

const { definitions } = JSON.parse(readFileSync(resolve(import.meta.dirname, 'kubernetes.json'), 'utf8')) as {
  definitions: object
}
const ajv = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true })
formats.default(ajv, ['byte', 'date-time', 'int32', 'int64'])
ajv.addSchema({ $id: 'kubernetes', definitions })

const judges = new Map<string, ValidateFunction>([
  ...Object.entries(DEFINED).map(
    ([kind, name]) => [kind, ajv.compile({ $ref: `kubernetes#/definitions/${name}` })] as const,
  ),
  ...Object.entries(CUSTOM_RESOURCES).map(([kind, schema]) => [kind, ajv.compile(schema)] as const),
])

/** Sentences about what the API server would refuse, or what would never come to run. */
export function faultsOfManifests(manifests: readonly Manifest[]): string[] {
  return [
    ...manifests.flatMap(faultsOfSchema),
    ...manifests.flatMap(faultsOfNames),
    ...faultsOfReferences(manifests),
  ]
}

function faultsOfSchema(manifest: Manifest): string[] {
  const kind = `${manifest.apiVersion} ${manifest.kind}`
  const judge = judges.get(kind)
  if (judge === undefined) return [`${kind} has no schema`]
  if (judge(manifest as unknown)) return []
  return (judge.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${manifest.kind} ${instancePath} ${message} ${JSON.stringify(params)}`,
  )
}

/** Names of objects become DNS labels, values of labels have a form of their own: no schema says so. */
function faultsOfNames(manifest: Manifest): string[] {
  const { name } = manifest.metadata
  const faults: string[] = []
  if (!/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) faults.push(`${manifest.kind} has the name ${name}`)
  for (const [label, value] of membersAt(manifest, 'labels'))
    if (!/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/.test(String(value)))
      faults.push(`${manifest.kind} has the label ${label}: ${String(value)}`)
  for (const [annotation, value] of membersAt(manifest, 'annotations'))
    if (typeof value !== 'string') faults.push(`${manifest.kind} has the annotation ${annotation}`)
  return faults
}

/** Members of all objects of that name in a value. */
function membersAt(value: unknown, name: string): [string, unknown][] {
  if (Array.isArray(value)) return value.flatMap((item) => membersAt(item, name))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, member]) =>
    key === name && isObject(member) ? Object.entries(member) : membersAt(member, name),
  )
}

/** The pod that the manifests make. */
export interface Pod {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations: Record<string, string> }
  readonly spec: PodSpec
}

interface PodSpec {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes: readonly { readonly name: string; readonly [source: string]: unknown }[]
  readonly serviceAccountName: string
  readonly [name: string]: unknown
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly command?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value?: string }[]
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly volumeMounts?: readonly {
    readonly name: string
    readonly mountPath: string
    readonly readOnly?: boolean
  }[]
  readonly [name: string]: unknown
}

interface SetSpec {
  readonly template: Pod
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[]
}

function setOf(manifests: readonly Manifest[]): SetSpec {
  const set = manifests.find(({ kind }) => kind === 'StatefulSet')
  if (set === undefined) throw new Error('there is no StatefulSet')
  return set['spec'] as SetSpec
}

export function podOf(manifests: readonly Manifest[]): Pod {
  return setOf(manifests).template
}

export function containersOf({ spec }: Pod): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers]
}

function faultsOfReferences(manifests: readonly Manifest[]): string[] {
  const faults: string[] = []
  const named = (kind: string, name: string) =>
    manifests.some((one) => one.kind === kind && one.metadata.name === name)
  const demand = (holds: boolean, fault: string) => {
    if (!holds) faults.push(fault)
  }
  const pod = podOf(manifests)
  const volumes = [
    ...pod.spec.volumes.map(({ name }) => name),
    ...(setOf(manifests).volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
  ]
  demand(new Set(volumes).size === volumes.length, 'a volume stands twice')
  const mounted = containersOf(pod).flatMap(({ volumeMounts }) => volumeMounts ?? [])
  for (const { name } of mounted)
    demand(volumes.includes(name), `the volume ${name} is mounted and does not exist`)
  for (const name of volumes)
    demand(
      mounted.some((mount) => mount.name === name),
      `the volume ${name} is mounted nowhere`,
    )
  for (const container of containersOf(pod)) {
    const paths = (container.volumeMounts ?? []).map(({ mountPath }) => mountPath)
    demand(new Set(paths).size === paths.length, `${container.name} mounts twice at one path`)
    for (const { configMapRef } of container.envFrom ?? [])
      demand(named('ConfigMap', configMapRef.name), `the ConfigMap ${configMapRef.name} does not exist`)
  }
  const ports = containersOf(pod).flatMap((container) => (container.ports ?? []).map(({ name }) => name))
  for (const { kind, spec } of manifests as readonly (Manifest & { spec: Record<string, unknown> })[]) {
    const selector = selectorOf(kind, spec)
    for (const [label, value] of Object.entries(selector))
      demand(
        pod.metadata.labels[label] === value,
        `${kind} selects ${label}: ${value}, which the pod has not`,
      )
    if (kind === 'Service')
      for (const { targetPort } of spec['ports'] as { targetPort: string }[])
        demand(ports.includes(targetPort), `Service leads to the port ${targetPort}, which does not exist`)
    if (kind === 'HTTPRoute')
      for (const { name, port } of (
        spec['rules'] as { backendRefs: { name: string; port: number }[] }[]
      ).flatMap((rule) => rule.backendRefs))
        demand(
          portsOf(manifests, name).includes(port),
          `HTTPRoute leads to ${name}:${port}, which does not exist`,
        )
  }
  return faults
}

function selectorOf(kind: string, spec: Record<string, unknown> | undefined): Record<string, string> {
  if (kind === 'Service') return spec!['selector'] as Record<string, string>
  if (kind === 'StatefulSet' || kind === 'PodDisruptionBudget')
    return (spec!['selector'] as { matchLabels: Record<string, string> }).matchLabels
  if (kind === 'NetworkPolicy')
    return (spec!['podSelector'] as { matchLabels: Record<string, string> }).matchLabels
  return {}
}

function portsOf(manifests: readonly Manifest[], service: string): number[] {
  const found = manifests.find(({ kind, metadata }) => kind === 'Service' && metadata.name === service)
  return ((found?.['spec'] as { ports: { port: number }[] } | undefined)?.ports ?? []).map(({ port }) => port)
}
