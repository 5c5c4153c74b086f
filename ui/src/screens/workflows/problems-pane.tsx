import { Status } from '../../kit/status.tsx'
import { nodeOfFinding } from './findings.ts'
import type { Editor } from './use-editor.ts'

/** What validation finds, errors first. Each leads to its node. */
export function ProblemsPane({ editor, open }: { editor: Editor; open: (node: string) => void }) {
  const { findings, definition, isCurrent } = editor.judged
  const sorted = findings.toSorted((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error'))
  return (
    <div className="flex flex-col gap-2">
      {findings.length === 0 && (
        <p>
          {isCurrent ? (
            <Status state="ok">No problem found</Status>
          ) : (
            <span className="text-muted">Validating</span>
          )}
        </p>
      )}
      <ul aria-label="Problems" className="flex flex-col">
        {sorted.map((finding) => {
          const { code, severity, pointer, message } = finding
          const node = nodeOfFinding(finding, definition)
          return (
            <li
              key={code + pointer + message}
              className="flex flex-wrap items-baseline gap-x-3 border-t border-line py-1"
            >
              <Status state={severity === 'error' ? 'bad' : 'warn'}>{severity}</Status>
              {node !== null && (
                <button type="button" className="min-h-6 font-medium underline" onClick={() => open(node)}>
                  {node}
                </button>
              )}
              <span className="min-w-0 break-words">{message}</span>
              <code className="text-sm text-muted">
                {code} at {pointer === '' ? '/' : pointer}
              </code>
            </li>
          )
        })}
      </ul>
    </div>
  )
}
