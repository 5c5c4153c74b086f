/** The host names at which the gateway listener serves pages. */
import { ALL_DOORS, type Part } from '../../base/doors.ts'

/**
 * Host names at which the gateway listener serves pages or Management REST, which takes the cookie of the console; null where it
 * serves neither.
 * @param expose parts of the control plane that the listener hands out
 * @param addresses origins and hosts of this process
 */
export function pageHostsOf(
  expose: readonly Part[],
  addresses: readonly string[],
): ReadonlySet<string> | null {
  if (
    !ALL_DOORS.some(
      ({ hasPages, part }) => (hasPages || part === 'management') && part !== null && expose.includes(part),
    )
  )
    return null
  const names = addresses.map((address) => URL.parse(address)?.hostname ?? address.toLowerCase())
  return new Set([...names, 'localhost', '127.0.0.1', '[::1]'])
}
