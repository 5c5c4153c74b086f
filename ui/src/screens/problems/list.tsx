import problems from 'virtual:problems'
import { Page } from '../../kit/page.tsx'
import { DataTable } from '../../tables/data-table.tsx'

const ROWS = Object.entries(problems).map(([code, { title, status }]) => ({ code, title, status }))

/** All codes of problems. */
export default function ProblemList() {
  return (
    <Page
      name="Problem codes"
      title="Problem codes"
      lead="Every failure of the gateway and of the management API has one of these codes."
      isFull
    >
      <DataTable
        label="Problem codes"
        columns={[
          { name: 'code', label: 'Code', render: ({ code }) => <code>{code}</code> },
          { name: 'status', label: 'Status', width: 90, isNumber: true, render: ({ status }) => status },
          { name: 'title', label: 'Title', render: ({ title }) => title },
        ]}
        items={ROWS}
        keyOf={({ code }) => code}
        linkOf={({ code }) => ({ to: '/$resource/$id', params: { resource: 'problems', id: code } })}
      />
    </Page>
  )
}
