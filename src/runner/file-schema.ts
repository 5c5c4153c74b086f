/**
 * The schema of the runner's file. It is strict: an unknown member is refused, so that a misspelt limit cannot be
 * ignored. Rules over several members are in `file.ts`.
 */
import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { toMs } from '../base/clock.ts'
import { linearPattern } from '../base/text/patterns.ts'
import { Duration } from '../model/members.ts'

const UNIT_BYTES = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 } as const

const SIZE = /^([1-9][0-9]{0,5})([KMG])$/

/** Bytes of a size such as `512M`, which the schema has checked. */
function toBytes(size: string): number {
  const [, count, unit] = SIZE.exec(size)!
  return Number(count) * UNIT_BYTES[unit as keyof typeof UNIT_BYTES]
}

const size = (preset: string, max: string) =>
  z
    .string()
    .regex(SIZE, 'a size such as 512K, 512M or 2G')
    .refine((text) => !SIZE.test(text) || toBytes(text) <= toBytes(max), `at most ${max}`)
    .default(preset)
    .transform(toBytes)

const duration = (preset: string, max: string) =>
  Duration.refine((text) => safeMs(text) <= toMs(max), `at most ${max}`)
    .default(preset)
    .transform(toMs)

/** A text that is no duration is refused by its form. */
function safeMs(text: string): number {
  return Duration.safeParse(text).success ? toMs(text) : 0
}

const count = (preset: number, max: number) => z.int().min(1).max(max).default(preset)

const AbsolutePath = z
  .string()
  .min(1)
  .max(4096)
  .refine((path) => isAbsolute(path) && !path.includes('\0'), 'must be an absolute path')

const Text = z
  .string()
  .max(32_768)
  .refine((text) => !text.includes('\0'), 'must not contain U+0000')

/** Names of parameters, as arguments write them in braces. */
const PARAMETER_NAME = /^[a-z][a-z0-9_]{0,31}$/
const ENTRY_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/
/** Set by the runner for each process, so that none of its descendants is lost. */
export const MARK_VARIABLE = 'POSTERN_RUNNER_PROCESS'

/** A record whose keys have one form. The keys of `z.record` would be refused without saying what they should be. */
function named<T extends z.ZodType>(form: RegExp, what: string, max: number, value: T) {
  return z.record(z.string(), value).check((context) => {
    const names = Object.keys(context.value)
    if (names.length > max)
      context.issues.push({ code: 'custom', input: context.value, message: `at most ${max} members` })
    for (const name of names)
      if (!form.test(name))
        context.issues.push({
          code: 'custom',
          input: name,
          path: [name],
          message: `the name must be ${what}`,
        })
  })
}

const Parameter = z
  .strictObject({
    pattern: z
      .string()
      .min(1)
      .max(1000)
      .refine(
        (source) => linearPattern(wholly(source)) !== null,
        'must be a regular expression without look-around and back references',
      )
      .optional(),
    enum: z.array(Text.min(1).max(1024)).min(1).max(1000).optional(),
    required: z.boolean().default(true),
  })
  .refine((one) => one.pattern === undefined || one.enum === undefined, 'has either pattern or enum')

/** An expression that the whole value has to fit. */
export function wholly(source: string): string {
  return `^(?:${source})$`
}

const EnvironmentValue = z.union([Text, z.strictObject({ file: AbsolutePath })])

const Limits = z.strictObject({
  memory: size('512M', '64G'),
  processes: count(32, 4096),
  instances: count(8, 1024),
  sessions: count(256, 65_536),
  calls: count(256, 4096),
  message: size('4M', '64M'),
  start_timeout: duration('30s', '10m'),
  call_timeout: duration('5m', '24h'),
  idle_timeout: duration('15m', '30d'),
})

const Entry = z.strictObject({
  program: AbsolutePath,
  args: z.array(Text).max(100).default([]),
  parameters: named(
    PARAMETER_NAME,
    'a lower-case letter, then letters, digits or _ (at most 32 characters)',
    32,
    Parameter,
  ).default({}),
  env: named(VARIABLE_NAME, 'letters, digits or _, without a digit at the start', 100, EnvironmentValue)
    .refine((env) => !Object.hasOwn(env, MARK_VARIABLE), `${MARK_VARIABLE} is set by the runner`)
    .default({}),
  cwd: AbsolutePath.default('/'),
  instance: z.enum(['shared', 'per_user']).default('shared'),
  era: z.enum(['auto', 'legacy', 'modern']).default('auto'),
  limits: Limits.prefault({}),
})

const Token = z
  .strictObject({
    token_sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'the SHA-256 of the token: 64 digits of lower-case hexadecimal')
      .optional(),
    token_file: AbsolutePath.optional(),
    entries: z.array(z.string()).min(1).max(1000),
  })
  .refine(
    (one) => (one.token_sha256 === undefined) !== (one.token_file === undefined),
    'needs either token_sha256 or token_file',
  )

const Listen = z.union([
  z.strictObject({ socket: AbsolutePath }),
  z.strictObject({
    address: z.string().max(300),
    tokens: z.array(Token).min(1).max(1000),
    allow_remote: z.boolean().default(false),
  }),
])

export const RunnerFileSchema = z.strictObject({
  listen: Listen,
  entries: named(
    ENTRY_NAME,
    'lower-case letters, digits and hyphens (at most 63 characters)',
    1000,
    Entry,
  ).refine((entries) => Object.keys(entries).length > 0, 'must have at least one entry'),
})

export type EntrySpec = z.output<typeof Entry>

export type ParameterSpec = z.output<typeof Parameter>
