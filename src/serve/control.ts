/** Opens the control plane, and the private sockets on which it listens. */
import { join } from 'node:path'
import { CONTROL_SOCKET, LOCAL_SOCKET } from '../base/net/address.ts'
import {
  type ControlPlane,
  type ControlPlaneOptions,
  createClosedControlPlane,
  createControlPlane,
} from '../control/control-plane.ts'
import { createLocalListener } from '../control/local-socket.ts'
import { closeServer, listenPrivately } from '../control/private-server.ts'
import type { Addresses } from '../fleet/main/addresses.ts'
import { fingerprintsOf, type WatchedCertificates } from '../fleet/main/certificates.ts'
import type { Publisher } from '../snapshot/snapshot.ts'
import { VERSION } from '../version.ts'
import type { Start } from './start.ts'
import type { Stores } from './stores.ts'

/** What is under way when the parts end is given so long; nothing is after a failed start. */
export interface Grace {
  requestsMs: number
  answersMs: number
}

/** The control plane; without a store, one that refuses everything. @param publisher null without a store */
export function openControl(
  { clock, fault, parts }: Start,
  { store, mark, fault: missing, vault, records, counters, compiler }: Stores,
  publisher: Publisher | null,
  options: Omit<
    ControlPlaneOptions,
    'store' | 'mark' | 'vault' | 'clock' | 'records' | 'limits' | 'publisher' | 'compiler' | 'fault'
  >,
): ControlPlane {
  const control =
    store === null || publisher === null
      ? createClosedControlPlane(missing?.detail ?? '')
      : createControlPlane({
          ...options,
          store,
          mark,
          vault,
          clock,
          records,
          limits: counters,
          publisher,
          compiler,
          fault,
        })
  parts.defer(() => control.stop())
  parts.defer(() =>
    control
      .flush(true)
      .then(() => control.checkpoint())
      .catch((error: unknown) => fault(error, 'the end of the audit trail')),
  )
  return control
}

/** The private sockets: of the gateway threads, and of the command line of the same user. */
export async function listenForControl(
  { parts }: Start,
  control: ControlPlane,
  { origin, gatewayUrl, controlUrl, controlOrigin }: Addresses,
  certificates: WatchedCertificates | null,
  grace: Grace,
  directory: string,
): Promise<void> {
  const local = createLocalListener({
    issue: control.issueToken,
    reset: control.resetLink,
    info: () => ({
      version: VERSION,
      origin,
      listen: gatewayUrl,
      control_listen: controlUrl,
      management_url: controlUrl,
      management_origin: certificates === null ? controlUrl : controlOrigin,
      management_certificates: certificates === null ? [] : fingerprintsOf(certificates.current),
    }),
  })
  const sockets = [
    [CONTROL_SOCKET, control.listener],
    [LOCAL_SOCKET, local],
  ] as const
  for (const [name, listener] of sockets) {
    const server = await listenPrivately(join(directory, name), listener)
    parts.defer(() => closeServer(server, grace.answersMs))
  }
}
