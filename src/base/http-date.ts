const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const TIME = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})'
const FORMS = [
  new RegExp(`^${DAY}, (?<day>\\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(
    `^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\\d{2}) ${TIME} GMT$`,
  ),
  new RegExp(`^${DAY} (?<month>[A-Z][a-z]{2}) (?<day>\\d{2}| \\d) ${TIME} (?<year>\\d{4})$`),
]

/**
 * A date of HTTP (RFC 9110 5.6.7), in milliseconds since the epoch; null for what is none. Whether the day of the week fits
 * is not looked at.
 * @param now decides the century of a year that has two digits.
 */
export function parseHttpDate(text: string, now: number): number | null {
  for (const form of FORMS) {
    const found = form.exec(text)?.groups
    if (found === undefined) continue
    const month = MONTHS.indexOf(found['month']!)
    const [day, hour, minute, second] = ['day', 'hour', 'minute', 'second'].map((part) => Number(found[part]))
    const year = found['year']!.length === 2 ? yearOf(Number(found['year']), now) : Number(found['year'])
    const date = new Date(0)
    // Unlike Date.UTC this takes the years 0 to 99 for what they are.
    date.setUTCFullYear(year, month, day)
    if (month === -1 || date.getUTCDate() !== day || hour! > 23 || minute! > 59 || second! > 60) return null
    return date.setUTCHours(hour!, minute!, second!)
  }
  return null
}

/** A year more than 50 years ahead is the past one with these digits. */
function yearOf(digits: number, now: number): number {
  const current = new Date(now).getUTCFullYear()
  const year = current - (current % 100) + digits
  return year > current + 50 ? year - 100 : year
}
