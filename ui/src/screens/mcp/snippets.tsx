import { useNavigate, useSearch } from '@tanstack/react-router'
import type { Output } from '../../api/client.ts'
import { one, type Search } from '../../app/search.ts'
import { classes } from '../../kit/style.ts'
import { CodeBlock } from '../../kit/text.tsx'

type Connect = Output<'virtual_mcps.connect'>['connect']
type Application = Connect[number]['application']
type Authentication = 'sign_in' | 'token'

const FORMS: Readonly<Record<string, string>> = {
  url: 'Enter this URL at',
  command: 'Run this command in',
  file: 'Add this to',
  link: 'Open this link in',
}

/** How an application authenticates, as the address of the page says. */
export function authenticationOf(search: Search): Authentication {
  return one(search['authentication']) === 'token' ? 'token' : 'sign_in'
}

interface SnippetsProps {
  readonly connect: Connect
  /** What people read of each way to authenticate. */
  readonly ways: Readonly<Record<Authentication, string>>
}

/** What to enter into AI applications to connect them to an MCP endpoint, one tab each. The address holds the choice. */
export function Snippets({ connect, ways }: SnippetsProps) {
  const search = useSearch({ strict: false }) as Search
  const navigate = useNavigate()
  const authentication = authenticationOf(search)
  const applications = [...new Set(connect.map(({ application }) => application))]
  const chosen = applications.find((name) => name === one(search['application'])) ?? applications[0]
  const change = (changes: Readonly<Record<string, string | undefined>>): void => {
    navigate({ to: '.', search: { ...search, ...changes } as never, replace: true }).catch(() => {})
  }
  return (
    <>
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
            {ways[way]}
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
        {connect
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
    </>
  )
}

/** Names of the applications. The server has the same ones (`operations/mcp-endpoints/snippets`), which the console may not import. */
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
