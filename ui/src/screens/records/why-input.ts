/** The request that an explanation is asked for. The address holds it, by the names of `requests.explain`. */
import type { Input } from '../../api/client.ts'
import type { Search } from '../../app/search.ts'
import type { CallRecord } from './sentence.ts'

/** Members that the form edits, as text. */
const MEMBERS = ['method', 'target', 'host', 'client', 'profile', 'ip', 'headers', 'body_bytes'] as const
export type Asked = Readonly<Record<(typeof MEMBERS)[number], string>>

/** Lines of a text area that are not empty. */
export function linesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** What the form starts with: what the address has, and otherwise what the record has. */
export function startOf(search: Search, record: CallRecord | null): Asked {
  const recorded: Readonly<Record<string, string | null>> =
    record === null
      ? {}
      : {
          method: record.method,
          target: record.path,
          client: record.client_slug,
          profile: record.profile_slug,
          ip: record.ip,
        }
  const textOf = (name: string): string => {
    const value = search[name]
    if (value !== undefined) return typeof value === 'string' ? value : value.join('\n')
    return recorded[name] ?? ''
  }
  return Object.fromEntries(MEMBERS.map((name) => [name, textOf(name)])) as unknown as Asked
}

/** The form as search parameters: `request_id` stays, and with it only what differs from the record. */
export function searchOf(
  asked: Asked,
  record: CallRecord | null,
): Record<string, string | readonly string[]> {
  const start = startOf({}, record)
  const changed = MEMBERS.filter((name) => asked[name].trim() !== start[name])
  // A profile is one of a client
  const names = changed.includes('profile')
    ? MEMBERS.filter((name) => name === 'client' || changed.includes(name))
    : changed
  return {
    ...(record !== null && { request_id: record.id }),
    ...Object.fromEntries(
      names
        .filter((name) => asked[name].trim() !== '')
        .map((name) => [name, name === 'headers' ? linesOf(asked[name]) : asked[name].trim()]),
    ),
  }
}

/** The address as input of the operation. */
export function inputOf(search: Search): Input<'requests.explain'> {
  const members = Object.entries(search).filter(([name]) =>
    (['request_id', ...MEMBERS] as readonly string[]).includes(name),
  )
  return Object.fromEntries(
    members.map(([name, value]) => [name, name === 'headers' ? [value].flat() : value]),
  ) as Input<'requests.explain'>
}

/** True if there is enough to ask. */
export function isWhole(search: Search): boolean {
  return (
    search['request_id'] !== undefined || (search['method'] !== undefined && search['target'] !== undefined)
  )
}
