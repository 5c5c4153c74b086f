import { z } from 'zod'
import { unit } from './annotations.ts'
import { HttpMethod } from './http-method.ts'
import { Duration } from './time.ts'

/** An origin as browsers send it, `https://*.` for every host below a name, or `*` for all. */
const Origin = z
  .string()
  .max(255)
  .regex(
    /^(\*|https?:\/\/(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?)$/,
    'an origin such as https://app.example.com or https://*.example.com, without a path, or *',
  )

const FieldName = z
  .string()
  .meta(unit('http-header-name'))
  .max(128)
  .regex(/^[!#$%&'+.^_`|~0-9A-Za-z-]+$/, 'a header name')

/** Cross-origin rules of a collection (Fetch standard, CORS protocol). */
export const Cors = z
  .strictObject({
    origins: z.array(Origin).min(1).max(100).describe('Allowed origins'),
    methods: z.array(HttpMethod).max(7).default([]).describe('Allowed methods; empty: all'),
    headers: z
      .array(FieldName)
      .max(50)
      .default(['Authorization', 'Content-Type', 'X-Client-ID', 'X-Profile-ID', 'Idempotency-Key'])
      .describe('Allowed request headers'),
    expose: z
      .array(FieldName)
      .max(50)
      .default(['X-Request-ID', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'X-Cache'])
      .describe('Response headers that scripts can read'),
    credentials: z.boolean().default(false).describe('Allow cookies; not allowed with origin *'),
    max_age: Duration.default('10m').describe('Time for which a browser may cache the preflight response'),
  })
  .refine((cors) => !(cors.credentials && cors.origins.includes('*')), {
    path: ['credentials'],
    error: 'credentials need origins by name: with * every page of the web could act for its visitors',
  })
export type Cors = z.output<typeof Cors>
