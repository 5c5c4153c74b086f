/** Settings of nodes that ask a database or a mail server. Hosts are static: no expression chooses a server. */
import { isIPv6 } from 'node:net'
import { z } from 'zod'
import { CertificatesPem } from '../model/api/upstream.ts'
import { Ref } from '../model/members.ts'
import type { NodeType } from './node-type.ts'

const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/

const Host = z
  .string()
  .max(253)
  .refine(
    (host) => HOST_NAME.test(host) || isIPv6(host),
    'a host name or an address, without port and brackets',
  )
  .describe('Host name or address of the server')

const Port = z.int().min(1).max(65_535)

/** @param port That servers of this kind listen on. */
export function addressMembers(port: number) {
  return {
    host: Host,
    port: Port.default(port),
    tls: z
      .boolean()
      .default(true)
      .describe('Uses TLS and verifies the certificate of the server; false sends everything in plain text'),
    ca: CertificatesPem.nullable()
      .default(null)
      .describe('Trusted certificate authorities in PEM, instead of those of the system'),
  }
}

export const LoginRef = Ref.describe('Credential of the type basic, by id or slug: username and password')

interface Addressed {
  readonly host: string
  readonly port: number
  readonly tls: unknown
  readonly ca: string | null
  readonly credential: string | null
}

/** @param schema Of settings with the members above. */
export function destinationBy(schema: z.ZodType<Addressed>): NonNullable<NodeType['destination']> {
  return (config) => {
    const { success, data } = schema.safeParse(config)
    if (!success) return null
    const { host, port, tls, ca, credential } = data
    const url = `http://${isIPv6(host) ? `[${host}]` : host}:${port}`
    return { url, credential, tls: [tls, ca], member: 'host' }
  }
}
