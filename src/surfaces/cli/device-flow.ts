import type * as OpenIdClient from 'openid-client'
import { printable } from '../../base/text/visible.ts'
import type { CliPorts } from './ports.ts'

/** Signs a person in by another device (RFC 8628): shows where to go and what to enter, and asks until that is done. */
export async function signInByDevice(
  ports: CliPorts,
  oauth: typeof OpenIdClient,
  server: OpenIdClient.Configuration,
  wanted: URLSearchParams,
): Promise<OpenIdClient.TokenEndpointResponse> {
  const started = await oauth.initiateDeviceAuthorization(server, wanted)
  const whole =
    started.verification_uri_complete === undefined
      ? ''
      : `Or, with the code in it: ${printable(started.verification_uri_complete)}\n`
  ports.err(
    `On any device, go to ${printable(started.verification_uri)} and enter the code ${printable(started.user_code)}\n${whole}Waiting ...\n`,
  )
  return oauth.pollDeviceAuthorizationGrant(server, started, { resource: wanted.get('resource')! })
}
