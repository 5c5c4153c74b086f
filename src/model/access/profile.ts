import { isIP } from 'node:net'
import { z } from 'zod'
import type { ClaimRule } from '../../base/crypto/jwt.ts'
import { refersTo, unit } from '../annotations.ts'
import { Description, Duration, HttpMethod, Name, Ref, Slug, secureUrl, Tags, Time } from '../members.ts'

export const SECRET_ALGS = ['HS256', 'HS384', 'HS512'] as const
export const KEY_ALGS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const

/** Where keys are fetched from. */
export const KeyUrl = secureUrl('https://id.example.com')

const Claim = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[!-~]+$/, 'the name of a claim')
  .describe('Name of a claim, or a dotted path such as realm.name')

const Scalar = z.union([z.string().max(1024), z.number(), z.boolean()])

const RequiredClaims = z
  .record(Claim, z.union([Scalar, z.array(Scalar).min(1).max(50)]))
  .refine((claims) => Object.keys(claims).length <= 20, 'at most 20 claims')
  .default({})
  .describe('Required claims and values. A list accepts any of its values')

const Claims = z
  .array(Claim)
  .max(20)
  .default([])
  .describe('Claims that limits and later steps can use. Other claims are discarded')

const Audience = z.string().min(1).max(512)

const Skew = Duration.default('60s').describe('Clock skew tolerance; at most 5m')

/** A public key as in a JWK set (RFC 7517). Members of private keys are refused. */
export const Jwk = z.strictObject({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: z.string().min(1).max(256).optional().describe('Key id, which tokens name in `kid`'),
  alg: z.enum(KEY_ALGS).optional(),
  use: z.literal('sig').optional(),
  key_ops: z.array(z.string().max(32)).max(8).optional(),
  n: z.string().max(2048).optional(),
  e: z.string().max(16).optional(),
  crv: z.enum(['P-256', 'P-384', 'P-521', 'Ed25519']).optional(),
  x: z.string().max(128).optional(),
  y: z.string().max(128).optional(),
  x5c: z.array(z.string().max(8192)).max(8).optional(),
  x5t: z.string().max(128).optional(),
  'x5t#S256': z.string().max(128).optional(),
  retires_at: Time.nullable().optional().describe('Time from which tokens of this key are refused'),
})

export const JwtAuth = z.strictObject({
  type: z.literal('jwt').describe('A JWT signed by the caller or by an issuer that the caller trusts'),
  mode: z
    .enum(['secret', 'keys', 'jwks_url'])
    .default('secret')
    .describe('secret: a generated secret, shown once. keys: public keys given here. jwks_url: fetched'),
  keys: z.array(Jwk).max(16).default([]).describe('Public keys of mode keys'),
  jwks_url: KeyUrl.nullable().default(null).describe('Key set of mode jwks_url'),
  algs: z
    .array(z.enum([...SECRET_ALGS, ...KEY_ALGS]))
    .max(13)
    .default([])
    .describe('Allowed algorithms; empty: all algorithms of the mode'),
  issuer: z
    .string()
    .min(1)
    .max(512)
    .nullable()
    .default(null)
    .describe('Required value of iss; null: the slug of the client'),
  audience: Audience.nullable().default(null).describe('Required value in aud. Optional only in mode secret'),
  max_lifetime: Duration.default('1h').describe('Maximum time from iat, or from now, to exp'),
  skew: Skew,
  jti_replay: z.boolean().default(false).describe('Accept each token only once; the token must have a jti'),
  required_claims: RequiredClaims,
  claims: Claims,
})

export const Match = z
  .strictObject({
    claim: Claim,
    equals: Scalar.optional(),
    in: z.array(Scalar).min(1).max(50).optional(),
    glob: z.string().min(1).max(256).optional().describe('Pattern; * matches any text'),
  })
  .refine(
    ({ equals, in: list, glob }) => [equals, list, glob].filter((one) => one !== undefined).length === 1,
    'exactly one of equals, in and glob',
  )

/** The one of equals, in and glob that a match has. */
export function toClaimRule({ claim, equals, in: list, glob }: z.output<typeof Match>): ClaimRule {
  return { claim, values: list ?? (equals === undefined ? [] : [equals]), glob: glob ?? null }
}

export const OidcAuth = z.strictObject({
  type: z.literal('oidc').describe('An access token of an OpenID provider'),
  issuer: KeyUrl.describe('URL of the provider; its discovery document names the keys'),
  audience: Audience.describe('Required value in aud: the name of this API at the provider'),
  algs: z
    .array(z.enum(KEY_ALGS))
    .max(10)
    .default([])
    .describe('Allowed algorithms; empty: all that match the keys'),
  skew: Skew,
  required_scopes: z
    .array(z.string().regex(/^[!#-[\]-~]{1,128}$/))
    .max(50)
    .default([]),
  required_claims: RequiredClaims,
  match: z
    .array(Match)
    .max(20)
    .default([])
    .describe('Conditions that a token of this profile must meet. Several profiles can share one provider'),
  claims: Claims,
  introspection_credential: Ref.meta(refersTo('credentials'))
    .nullable()
    .default(null)
    .describe('Credential (basic or bearer) for RFC 7662; opaque tokens are refused without it'),
  introspection_url: KeyUrl.nullable().default(null).describe('URL; null: the URL in the discovery document'),
  accept_id_tokens: z.boolean().default(false).describe('ID tokens are for the app, not for an API'),
})

const Pem = z.string().meta(unit('pem')).min(1).max(32_768)

const Binding = z
  .strictObject({
    ca: Pem.describe('Certificate authorities in PEM. One of them must have issued the certificate'),
    san_dns: z
      .string()
      .max(255)
      .regex(/^[!-~]+$/)
      .optional()
      .describe('A DNS name in the certificate'),
    san_uri: z
      .string()
      .max(1024)
      .regex(/^[!-~]+$/)
      .optional()
      .describe('A URI in the certificate, such as a SPIFFE id'),
    subject: z
      .string()
      .min(3)
      .max(1024)
      .regex(/^[^\p{Cc}]+$/u)
      .optional()
      .describe('The whole subject, such as CN=orders,O=Acme'),
    sha256: z
      .string()
      .regex(/^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/, 'a SHA-256 fingerprint: 64 hexadecimal digits')
      .optional()
      .describe('Fingerprint of one certificate'),
    retires_at: Time.nullable()
      .optional()
      .describe('Time from which certificates of this binding are refused'),
  })
  .refine(
    (binding) => BINDING_NAMES.filter((name) => binding[name] !== undefined).length === 1,
    'exactly one of san_dns, san_uri, subject and sha256',
  )

export const BINDING_NAMES = ['san_dns', 'san_uri', 'subject', 'sha256'] as const

export const MtlsAuth = z.strictObject({
  type: z
    .literal('mtls')
    .describe('A client certificate of the connection, or from the header of a trusted proxy'),
  bindings: z.array(Binding).min(1).max(16).describe('Certificates that identify this profile'),
  revocation: z
    .strictObject({
      crl: z
        .string()
        .min(1)
        .max(524_288)
        .nullable()
        .default(null)
        .describe('Certificate revocation lists in PEM, one per issuer; null: no revocation check'),
      soft_fail: z
        .boolean()
        .default(false)
        .describe('Accept certificates while a revocation list is missing or expired'),
    })
    .prefault({}),
})

export type MtlsAuth = z.output<typeof MtlsAuth>
export type JwtAuth = z.output<typeof JwtAuth>
export type OidcAuth = z.output<typeof OidcAuth>

/** An address or network: `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`. */
export const Network = z
  .string()
  .meta(unit('cidr'))
  .refine((text) => isNetwork(text), 'an IP address or network such as 10.0.0.0/8')

function isNetwork(text: string): boolean {
  const [address, prefix, ...rest] = text.split('/')
  const version = isIP(address ?? '')
  if (version === 0 || rest.length > 0 || text.includes('%')) return false
  if (prefix === undefined) return true
  return /^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)
}

/** How callers prove that they are this profile. */
const ProfileAuth = z.discriminatedUnion('type', [
  z.strictObject({
    type: z
      .literal('none')
      .describe('Identifies callers by ids only. Add an IP allow list, because ids are not secret'),
  }),
  z.strictObject({
    type: z.literal('token').describe('A bearer token, shown once'),
    expires_in: Duration.nullable()
      .default('90d')
      .describe('Lifetime of an issued token; null: never expires'),
  }),
  JwtAuth,
  OidcAuth,
  MtlsAuth,
])

export const ProfileSpec = z.strictObject({
  client: Ref.describe('The client it belongs to; cannot change'),
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name. Unique in the client'),
  description: Description.default(''),
  tags: Tags.default([]),
  auth: ProfileAuth.describe('Authentication of callers: type none, token, jwt, oidc or mtls'),
  active: z.boolean().default(true),
  allowed_methods: z.array(HttpMethod).max(7).default([]).describe('Allowed methods; empty: all'),
  ip_allowlist: z.array(Network).max(1000).default([]).describe('Allowed addresses; empty: all'),
  collections: z
    .array(Ref)
    .max(1000)
    .nullable()
    .default(null)
    .describe("Subset of the client's collections; null: all of them"),
  endpoints: z
    .strictObject({
      allow: z.array(z.string().max(1200)).max(1000).default([]),
      deny: z.array(z.string().max(1200)).max(1000).default([]),
    })
    .prefault({})
    .describe('Endpoint ids, `tag:<tag>`, or `METHOD /path`; deny wins, an empty allow list allows all'),
  policy: Ref.nullable().default(null).describe("Limits in addition to the client's"),
  forward_identity: z
    .boolean()
    .default(false)
    .describe('Adds X-Postern-Client, X-Postern-Profile and X-Postern-Subject for the upstream'),
  agent_sign_in: z
    .strictObject({
      users: z.array(Ref).max(1000).default([]),
      teams: z.array(Ref).max(100).default([]).describe('Includes the members of the teams below them'),
    })
    .nullable()
    .default(null)
    .describe('People who may use the profile at /mcp after signing in; null: nobody'),
  mcp_search: z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe('Tool search_endpoints at /mcp: auto lists it above 30 endpoints'),
  mcp_view: z
    .enum(['compact', 'expanded', 'auto'])
    .default('compact')
    .describe(
      'Tools at /mcp: compact has a few tools for all endpoints; expanded has one for each endpoint and method; auto expands up to 40 tools',
    ),
})
export type ProfileSpec = z.output<typeof ProfileSpec>

/** The best first. */
export const CREDENTIAL_STATES = ['valid', 'expiring_soon', 'retiring', 'expired', 'revoked'] as const

/** A token, signing secret, public key or certificate binding of a profile as people see it; a secret itself is only ever in the answer that issued it. */
export const ProfileCredentialState = z.object({
  id: z.string().describe('Id in request records'),
  lookup: z
    .string()
    .describe('Public part of a token; kid of a signing secret or key; name in a certificate'),
  state: z.enum(CREDENTIAL_STATES),
  created_at: z.string().nullable().describe('null for keys and bindings in the profile itself'),
  expires_at: z.string().nullable(),
  retires_at: z.string().nullable().describe('Time at which the overlap after a rotation ends'),
  last_used_at: z.string().nullable().describe('Time of the last call with it, to the minute'),
})
export type ProfileCredentialState = z.infer<typeof ProfileCredentialState>

export const ClientSpec = z.strictObject({
  name: Name,
  slug: Slug.optional().describe('Default: derived from the name'),
  description: Description.default(''),
  tags: Tags.default([]),
  kind: z.enum(['partner', 'internal', 'ai', 'test']).default('partner'),
  contact_email: z.email().nullable().default(null),
  collections: z.array(Ref).max(1000).default([]).describe('Collections that the client may call'),
  virtual_mcps: z.array(Ref).max(1000).default([]).describe('Virtual MCPs that the client may call'),
  policy: Ref.nullable().default(null).describe('Policy with limits that all profiles of the client share'),
  active: z.boolean().default(true).describe('false: calls of all its profiles are refused'),
  valid_until: Time.nullable().default(null),
})
export type ClientSpec = z.output<typeof ClientSpec>
