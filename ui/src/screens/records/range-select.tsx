import { one, type Search } from '../../app/search.ts'
import { Select } from '../../kit/inputs.tsx'
import { RANGES } from './range.ts'

/** Value of the choice that stands for other times than those of the list. */
const OTHER = 'other'

/** The time that a list shows. Exact times are filters `from` and `to`. */
export function RangeSelect({
  search,
  onChange,
}: {
  search: Search
  onChange: (change: Readonly<Record<string, string | undefined>>) => void
}) {
  const from = one(search['from']) ?? ''
  const isListed = search['to'] === undefined && (from === '' || RANGES.some((range) => range.from === from))
  return (
    <Select
      aria-label="Time range"
      className="w-40 text-sm"
      value={isListed ? from : OTHER}
      onChange={(event) =>
        onChange({ from: event.target.value === '' ? undefined : event.target.value, to: undefined })
      }
    >
      <option value="">Any time</option>
      {RANGES.map((range) => (
        <option key={range.from} value={range.from}>
          {range.label}
        </option>
      ))}
      {!isListed && (
        <option value={OTHER} disabled>
          From and to
        </option>
      )}
    </Select>
  )
}
