import assert from 'node:assert/strict'
import { test } from 'node:test'
import { render } from './chart.ts'
import { fullValues } from './full.ts'
import { RESTRICTED } from './pod-security.ts'
import { containersOf, type Pod, podOf } from './validate.ts'

const PODS: readonly (readonly [name: string, pod: Pod])[] = [
  ['default values', podOf(render().manifests)],
  ['all options', podOf(render(fullValues()).manifests)],
  ['maintenance', podOf(render({ maintenance: true }).manifests)],
  ['ids that the cluster chooses', podOf(render({ security: { runAsUser: null, fsGroup: null } }).manifests)],
]

for (const [name, pod] of PODS)
  test(`the pod keeps each rule of Pod Security "restricted": ${name}`, () => {
    const broken = RESTRICTED.filter(({ holds }) => !holds(pod)).map((rule) => rule.name)
    assert.deepEqual(broken, [])
  })

type Loose = Record<string, unknown>

/** A change for each rule, after which the pod breaks it. */
const BREAKS: Readonly<Record<string, (pod: Loose, container: Loose) => void>> = {
  'no host process of Windows': (_, container) =>
    set(container, 'securityContext.windowsOptions.hostProcess', true),
  'no namespaces of the host': (spec) => set(spec, 'hostPID', true),
  'no privileged container': (_, container) => set(container, 'securityContext.privileged', true),
  'all capabilities dropped, none added but NET_BIND_SERVICE': (_, container) =>
    set(container, 'securityContext.capabilities.add', ['SYS_ADMIN']),
  'volumes of the allowed types alone': (spec) =>
    (spec['volumes'] as Loose[]).push({ name: 'host', hostPath: { path: '/' } }),
  'no port of the host': (_, container) => set((container['ports'] as Loose[])[0]!, 'hostPort', 8080),
  'no host in probes and lifecycle hooks': (_, container) =>
    set(container, 'livenessProbe.httpGet.host', '169.254.169.254'),
  'AppArmor is not switched off': (_, container) =>
    set(container, 'securityContext.appArmorProfile.type', 'Unconfined'),
  'no user, role or foreign type of SELinux': (spec) =>
    set(spec, 'securityContext.seLinuxOptions.type', 'spc_t'),
  'the default mask of /proc': (_, container) => set(container, 'securityContext.procMount', 'Unmasked'),
  'seccomp is RuntimeDefault or Localhost': (_, container) =>
    set(container, 'securityContext.seccompProfile.type', 'Unconfined'),
  'safe sysctls alone': (spec) =>
    set(spec, 'securityContext.sysctls', [{ name: 'kernel.msgmax', value: '1' }]),
  'no escalation of privileges': (_, container) =>
    set(container, 'securityContext.allowPrivilegeEscalation', true),
  'runs as non-root': (_, container) => set(container, 'securityContext.runAsNonRoot', false),
  'the user is not root': (spec) => set(spec, 'securityContext.runAsUser', 0),
}

function set(object: Loose, path: string, value: unknown): void {
  const names = path.split('.')
  const last = names.pop()!
  let at = object
  for (const name of names) {
    at[name] ??= {}
    at = at[name] as Loose
  }
  at[last] = value
}

test('each rule is broken by a pod that breaks it, and by no other change', () => {
  assert.deepEqual(Object.keys(BREAKS).sort(), RESTRICTED.map(({ name }) => name).sort())
  for (const [name, change] of Object.entries(BREAKS)) {
    const pod = podOf(render().manifests)
    change(pod.spec as unknown as Loose, containersOf(pod)[0] as unknown as Loose)
    assert.deepEqual(
      RESTRICTED.filter(({ holds }) => !holds(pod)).map((rule) => rule.name),
      [name],
    )
  }
})

test('the root file system is read-only, and the pod gets no token and no variables of services', () => {
  for (const [name, pod] of PODS) {
    for (const container of containersOf(pod))
      assert.equal((container['securityContext'] as Loose)['readOnlyRootFilesystem'], true, name)
    assert.equal(pod.spec['automountServiceAccountToken'], false)
    assert.equal(pod.spec['enableServiceLinks'], false)
  }
})
