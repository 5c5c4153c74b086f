/** The rules of the Pod Security Standard "restricted", with those of "baseline" that it contains. */
import { isObject } from './chart.ts'
import { containersOf, type Pod } from './validate.ts'

interface Rule {
  readonly name: string
  /** True if the pod keeps it. */
  readonly holds: (pod: Pod) => boolean
}

type Security = { readonly [name: string]: unknown }

const securityOf = (holder: unknown): Security => {
  const found = isObject(holder) ? (holder as Security)['securityContext'] : undefined
  return isObject(found) ? found : {}
}
/** The security contexts of the pod and of each container. */
const allOf = (pod: Pod): Security[] => [securityOf(pod.spec), ...containersOf(pod).map(securityOf)]
const each = (pod: Pod, holds: (own: Security) => boolean): boolean =>
  containersOf(pod).every((container) => holds(securityOf(container)))
/** A member that each container may set for itself, else the pod sets it. */
const effective = (pod: Pod, name: string): unknown[] =>
  containersOf(pod).map((container) => securityOf(container)[name] ?? securityOf(pod.spec)[name])
const isUnset = (value: unknown): boolean => value === undefined || value === false
const listOf = (value: unknown, name: string): unknown[] => {
  const list = isObject(value) ? (value as Security)[name] : undefined
  return Array.isArray(list) ? list : []
}
/** All objects with such a member, anywhere in a value. */
const valuesAt = (value: unknown, name: string): unknown[] => {
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, name))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, member]) => [
    ...(key === name ? [member] : []),
    ...valuesAt(member, name),
  ])
}

const VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]
const SYSCTLS = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
]
const SELINUX_TYPES = ['container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']

export const RESTRICTED: readonly Rule[] = [
  {
    name: 'no host process of Windows',
    holds: (pod) => valuesAt(allOf(pod), 'hostProcess').every(isUnset),
  },
  {
    name: 'no namespaces of the host',
    holds: ({ spec }) => ['hostNetwork', 'hostPID', 'hostIPC'].every((name) => isUnset(spec[name])),
  },
  { name: 'no privileged container', holds: (pod) => each(pod, (own) => isUnset(own['privileged'])) },
  {
    name: 'all capabilities dropped, none added but NET_BIND_SERVICE',
    holds: (pod) =>
      each(
        pod,
        ({ capabilities }) =>
          listOf(capabilities, 'drop').includes('ALL') &&
          listOf(capabilities, 'add').every((name) => name === 'NET_BIND_SERVICE'),
      ),
  },
  {
    name: 'volumes of the allowed types alone',
    holds: ({ spec }) =>
      spec.volumes.every((volume) =>
        Object.keys(volume).every((source) => source === 'name' || VOLUMES.includes(source)),
      ),
  },
  {
    name: 'no port of the host',
    holds: (pod) => valuesAt(pod.spec, 'hostPort').every((port) => port === 0),
  },
  {
    name: 'no host in probes and lifecycle hooks',
    holds: (pod) =>
      containersOf(pod).every((container) =>
        ['startupProbe', 'livenessProbe', 'readinessProbe', 'lifecycle'].every((name) =>
          valuesAt(container[name], 'host').every((host) => host === '' || host === undefined),
        ),
      ),
  },
  {
    name: 'AppArmor is not switched off',
    holds: (pod) =>
      valuesAt(allOf(pod), 'appArmorProfile').every((one) => (one as Security)['type'] !== 'Unconfined') &&
      Object.entries(pod.metadata.annotations).every(
        ([name, value]) =>
          !name.startsWith('container.apparmor.security.beta.kubernetes.io/') || value !== 'unconfined',
      ),
  },
  {
    name: 'no user, role or foreign type of SELinux',
    holds: (pod) =>
      valuesAt(allOf(pod), 'seLinuxOptions').every((options) => {
        const { type, user, role } = options as Security
        return (type === undefined || SELINUX_TYPES.includes(String(type))) && !user && !role
      }),
  },
  {
    name: 'the default mask of /proc',
    holds: (pod) => valuesAt(allOf(pod), 'procMount').every((mount) => mount === 'Default'),
  },
  {
    name: 'seccomp is RuntimeDefault or Localhost',
    holds: (pod) =>
      effective(pod, 'seccompProfile').every(
        (profile) => isObject(profile) && ['RuntimeDefault', 'Localhost'].includes(String(profile['type'])),
      ),
  },
  {
    name: 'safe sysctls alone',
    holds: ({ spec }) =>
      listOf(securityOf(spec), 'sysctls').every((one) => SYSCTLS.includes(String((one as Security)['name']))),
  },
  {
    name: 'no escalation of privileges',
    holds: (pod) => each(pod, (own) => own['allowPrivilegeEscalation'] === false),
  },
  {
    name: 'runs as non-root',
    holds: (pod) => effective(pod, 'runAsNonRoot').every((value) => value === true),
  },
  { name: 'the user is not root', holds: (pod) => allOf(pod).every((own) => own['runAsUser'] !== 0) },
]
