import type { Output } from '../../api/client.ts'
import { HiddenText } from '../../kit/hidden-text.tsx'
import { Card } from '../../kit/page.tsx'
import { Status } from '../../kit/status.tsx'

/** What a server answered that was asked: how it is spoken to, what it lists, and each request. */
export function Answer({ answer }: { answer: Output<'origins.probe'> }) {
  const { ok, needs_sign_in, summary, protocol, warnings, steps } = answer
  return (
    <Card title="2. Answer">
      <div className="flex flex-col gap-3">
        <p role="status" className="flex flex-wrap items-baseline gap-2">
          <Status state={ok ? 'ok' : needs_sign_in ? 'warn' : 'bad'}>
            {ok ? 'Answers' : needs_sign_in ? 'Wants a sign-in' : 'No usable answer'}
          </Status>
          <span className="min-w-0 break-words">{summary}</span>
        </p>
        {protocol?.server?.name != null && (
          <p className="text-muted">
            It calls itself <HiddenText text={protocol.server.name} />
            {protocol.server.version != null && (
              <>
                {' '}
                <HiddenText text={protocol.server.version} />
              </>
            )}
            .
          </p>
        )}
        {warnings.map((warning) => (
          <Status key={warning} state="warn" className="whitespace-normal">
            {warning}
          </Status>
        ))}
        <details>
          <summary className="font-medium">Requests: {steps.length}</summary>
          <ol className="mt-1 flex flex-col">
            {steps.map(({ step, ok: isOk, latency_ms, status, error }, index) => (
              <li key={index} className="flex flex-wrap items-baseline gap-x-3 border-t border-line py-1">
                <Status state={isOk ? 'ok' : 'bad'}>{step}</Status>
                <span className="text-sm text-muted tabular-nums">
                  {status === null ? 'no response' : `status ${status}`}, {Math.round(latency_ms)} ms
                </span>
                {error !== null && <span className="min-w-0 text-sm break-words">{error}</span>}
              </li>
            ))}
          </ol>
        </details>
      </div>
    </Card>
  )
}
