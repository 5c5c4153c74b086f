import { z } from 'zod'
import { certificatesOf } from '../base/crypto/certificate.ts'
import { unit } from './annotations.ts'

const PEM_MAX = 262_144

/** Certificates in PEM. They are no secret. */
export const CertificatesPem = z
  .string()
  .meta(unit('pem'))
  .max(PEM_MAX)
  .superRefine((pem, context) => {
    try {
      certificatesOf(pem)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as RangeError).message })
    }
  })

/** How the gateway speaks TLS to an upstream. */
export const UpstreamTlsSpec = z.strictObject({
  ca: CertificatesPem.nullable()
    .default(null)
    .describe('Trusted certificates in PEM, instead of those of the system'),
  server_name: z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'a host name without port')
    .nullable()
    .default(null)
    .describe('Server name (SNI), which the certificate must contain; null: the host of the target'),
  min_version: z.enum(['1.2', '1.3']).default('1.2').describe('Minimum TLS version'),
  verify: z
    .boolean()
    .default(true)
    .describe('false: any certificate is accepted, which allows man-in-the-middle attacks; for tests only'),
})
export type UpstreamTlsSpec = z.output<typeof UpstreamTlsSpec>
