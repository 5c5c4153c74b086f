import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import type { Output } from '../../api/client.ts'
import { operation } from '../../api/operations.ts'
import { faultOf } from '../../api/problem.ts'
import { useCall } from '../../api/use-call.ts'
import { one, type Search } from '../../app/search.ts'
import { classes } from '../../kit/classes.ts'
import { CodeBlock } from '../../kit/copy.tsx'
import { FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { Status } from '../../kit/status.tsx'
import { Time } from '../../kit/time.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'

type Application = Output<'virtual_mcps.connect'>['connect'][number]['application']

/** While no call has come, records are looked at this often, milliseconds. */
const AGAIN_MS = 5000
const FORMS: Readonly<Record<string, string>> = {
  url: 'Enter this URL at',
  command: 'Run this command in',
  file: 'Add this to',
  link: 'Open this link in',
}

/** How AI applications connect to a virtual MCP, one tab each, and the first call that came. */
export default function ConnectPart({ slug }: PartProps) {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const authentication = one(search['authentication']) === 'token' ? 'token' : 'sign_in'
  const input = { id: slug, authentication } as const
  const { data, error, refetch } = useCall('virtual_mcps.connect', input)
  if (error !== null) return <FaultBox fault={faultOf(error)} retry={() => void refetch()} />
  if (data === undefined) return <SkeletonRows rows={8} />
  const applications = [...new Set(data.connect.map(({ application }) => application))]
  const chosen = applications.find((name) => name === one(search['application'])) ?? applications[0]
  const change = (changes: Readonly<Record<string, string | undefined>>): void => {
    navigate({ to: '.', search: { ...search, ...changes } as never, replace: true }).catch(() => {})
  }
  return (
    <div className="flex max-w-220 flex-col gap-4">
      <FirstCall slug={slug} isPublished={data.status === 'published'} />
      <div role="group" aria-label="Who connects" className="flex flex-wrap gap-4">
        {(['sign_in', 'token'] as const).map((way) => (
          <label key={way} className="flex min-h-6 items-center gap-2">
            <input
              type="radio"
              name="authentication"
              className="size-4 accent-accent"
              checked={authentication === way}
              onChange={() => change({ authentication: way === 'sign_in' ? undefined : way })}
            />
            {way === 'sign_in' ? 'People, who sign in' : 'An agent, with a token'}
          </label>
        ))}
      </div>
      <div role="tablist" aria-label="Applications" className="flex flex-wrap gap-4 border-b border-line">
        {applications.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={name === chosen}
            className={classes(
              '-mb-px h-9 border-b-2 px-1',
              name === chosen ? 'border-accent font-medium' : 'border-transparent text-muted hover:text-text',
            )}
            onClick={() => change({ application: name })}
          >
            {titleOf(name)}
          </button>
        ))}
      </div>
      <div
        role="tabpanel"
        aria-label={chosen === undefined ? 'Application' : titleOf(chosen)}
        className="flex flex-col gap-4"
      >
        {data.connect
          .filter(({ application }) => application === chosen)
          .map(({ application, form, place, text }) => (
            <div key={form + text} className="flex flex-col gap-1">
              <p className="font-medium">
                {place === null ? FORMS[form]?.replace(/ (?:at|in|to)$/, '') : FORMS[form]}
                {place !== null && (
                  <>
                    {' '}
                    <code className="break-all">{place}</code>
                  </>
                )}
              </p>
              <CodeBlock label={`${titleOf(application)}: ${form}`} text={text} />
            </div>
          ))}
      </div>
      <div>
        <ShowAs request={{ operation: operation('virtual_mcps.connect')!, input, options: {} }} />
      </div>
    </div>
  )
}

function FirstCall({ slug, isPublished }: { slug: string; isPublished: boolean }) {
  const asked = { virtual_mcp: slug, limit: 1 } as const
  const seen = useCall('records.list', asked)
  const waiting = useCall(
    'records.list',
    { ...asked, order: 'oldest' },
    { again: AGAIN_MS, enabled: seen.data?.items.length === 0 },
  )
  const [call] = seen.data?.items.length ? seen.data.items : (waiting.data?.items ?? [])
  if (seen.data === undefined) return null
  if (call === undefined)
    return (
      <p role="status">
        <Status state={isPublished ? 'pending' : 'draft'}>
          {isPublished ? 'No call seen yet' : 'The virtual MCP is a draft: publish it first'}
        </Status>
      </p>
    )
  return (
    <p role="status" className="flex flex-wrap gap-x-2">
      <Status state={call.status < 400 ? 'ok' : 'bad'}>{`Call seen, answered ${call.status}`}</Status>
      <Time value={call.time} />
      {call.agent_name !== null && <span className="text-muted">from {call.agent_name}</span>}
      <Link
        to="/$resource"
        params={{ resource: 'records' }}
        search={{ virtual_mcp: slug } as never}
        className="underline"
      >
        All its calls
      </Link>
    </p>
  )
}

/** As people know the applications. */
const NAMES: Readonly<Record<Application, string>> = {
  claude: 'Claude',
  claude_code: 'Claude Code',
  chatgpt: 'ChatGPT',
  cursor: 'Cursor',
  vscode: 'VS Code',
  codex: 'Codex CLI',
  gemini: 'Gemini CLI',
  other: 'Other clients',
}

function titleOf(application: Application): string {
  return NAMES[application]
}
