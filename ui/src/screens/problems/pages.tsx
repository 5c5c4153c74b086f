/** The codes of problems: all of them, and the page of one. */
import problems from 'virtual:problems'
import { Link, useParams } from '@tanstack/react-router'
import { useMay } from '../../api/client.ts'
import { buttonClasses } from '../../kit/controls.tsx'
import { Card, Page } from '../../kit/page.tsx'
import { CopyButton } from '../../kit/text.tsx'
import { Markdown } from '../../markdown/markdown.tsx'
import { DataTable } from '../../tables/data-table.tsx'

const ROWS = Object.entries(problems).map(([code, { title, status }]) => ({ code, title, status }))

/** All codes of problems. */
export function ProblemList() {
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

/** The page of a problem code: what it means, and what to do. The text is that of `docs/problems`. */
export function Problem() {
  const { id: code = '' } = useParams({ strict: false })
  const may = useMay()
  const problem = Object.hasOwn(problems, code) ? problems[code] : undefined
  const all = (
    <Link to="/$resource" params={{ resource: 'problems' }} className="underline">
      Problem codes
    </Link>
  )
  if (problem === undefined)
    return (
      <Page name="Unknown problem code" title="Unknown problem code" lead={all}>
        <p className="break-words">
          This version of Postern does not define the code <code>{code}</code>.
        </p>
      </Page>
    )
  const { title, status, type, text } = problem
  return (
    <Page
      name={title}
      title={title}
      lead={
        <span className="inline-flex flex-wrap items-center gap-1">
          {all}
          <span aria-hidden="true">/</span> <code className="break-all">{code}</code>{' '}
          <CopyButton text={code} label="Copy the code" />
        </span>
      }
      actions={
        may('records.list') && (
          <Link
            to="/$resource"
            params={{ resource: 'records' }}
            search={{ code } as never}
            className={buttonClasses()}
          >
            Calls with this code
          </Link>
        )
      }
    >
      <Card title="Meaning and solution" className="max-w-240">
        <Markdown text={text} />
      </Card>
      <Card title="In responses" className="max-w-240">
        <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-2">
          {(
            [
              ['code', code],
              ['status', String(status)],
              ['type', type],
            ] as const
          ).map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="text-muted">{name}</dt>
              <dd className="min-w-0 break-all">
                <code>{value}</code>
              </dd>
            </div>
          ))}
        </dl>
      </Card>
    </Page>
  )
}
