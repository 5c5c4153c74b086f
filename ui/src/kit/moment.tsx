/** An exact time in UTC: `2026-11-24 20:53:37`. The column or term beside it says UTC. */
export function Moment({ value }: { value: string }) {
  const date = new Date(value)
  if (Number.isNaN(date.getTime())) return <span>{value}</span>
  return (
    <time dateTime={value} title={value} className="font-mono text-sm whitespace-nowrap">
      {date.toISOString().slice(0, 19).replace('T', ' ')}
    </time>
  )
}
