/** Where the value of a header or parameter is read. */
interface SecretName {
  /** Name of an environment variable, as the default settings of the gateway let it be read. */
  readonly env: string
  /** What stands before the secret, such as `Bearer `. */
  readonly prefix: string
  /** What the variable must hold, in words; never the value. */
  readonly expected: string
}

/** @param slug of the server. @param value as it stands in the configuration. */
export type SecretNames = (slug: string, value: string) => SecretName

/** The start of the names that may be read by default. */
const START = 'SECRET_'
const SCHEME = /^(bearer|basic|token|apikey|api-key|key) +/i
/** `${NAME}`, `${env:NAME}`, `${input:name}`, `${NAME:-preset}`. */
const REFERENCE = /^\$\{(?:(env|input):)?([A-Za-z0-9_][A-Za-z0-9_.-]{0,99})(?::-[^}]*)?\}$/
const TELLING_NAME = /auth|cookie|credential|jwt|key|passw|(?:^|[-_])pat(?:$|[-_])|secret|session|sign|token/i
/** Of one piece and as long as keys are. */
const KEY_LIKE = /^(?=[^ ]*[0-9])(?=[^ ]*[A-Za-z])[!-~]{16,}$/

/** True for a header whose value may prove who calls. When in doubt it is. */
export function isTelling(name: string, value: string): boolean {
  return TELLING_NAME.test(name) || /\$\{/.test(value) || SCHEME.test(value) || KEY_LIKE.test(value)
}

/** Names variables for secrets: one for each reference of the configuration and for each server with a literal. */
export function createSecretNames(): SecretNames {
  /** What each variable stands for. */
  const meanings = new Map<string, string>()
  const unused = (wanted: string, meaning: string): string => {
    let env = wanted
    for (let count = 2; (meanings.get(env) ?? meaning) !== meaning; count++) env = `${wanted}_${count}`
    meanings.set(env, meaning)
    return env
  }
  return (slug, value) => {
    const scheme = SCHEME.exec(value)?.[0] ?? ''
    const prefix = scheme.replace(/ +$/, ' ')
    const [, kind = 'env', name] = REFERENCE.exec(value.slice(scheme.length)) ?? []
    if (name === undefined)
      return {
        env: unused(START + slug.toUpperCase().replaceAll('-', '_'), `server ${slug}`),
        prefix,
        expected: `the ${prefix === '' ? 'value' : `text after ${prefix.trim()}`} in the file`,
      }
    const plain = name.replaceAll(/[^A-Za-z0-9_]/g, '_')
    const env = kind === 'input' ? plain.toUpperCase() : plain
    return {
      env: unused(env.startsWith(START) ? env : START + env, `${kind} ${name}`),
      prefix,
      expected:
        kind === 'input' ? `the value that the MCP client asks for as "${name}"` : `the value of ${name}`,
    }
  }
}
