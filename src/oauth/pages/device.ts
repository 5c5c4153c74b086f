import { html, type Page } from '../../base/http/page.ts'

interface DeviceForm {
  readonly action: string
  readonly xsrf: string
  readonly code: string
}

/** Asks for the code that a device shows. */
export function deviceCodePage({ action, xsrf, code }: DeviceForm, fault: string | null): Page {
  return {
    title: 'Connect a device',
    content: html`${fault === null ? null : html`<p class="fault" role="alert">${fault}</p>`}
<form method="post" action="${action}">
<input type="hidden" name="xsrf" value="${xsrf}">
<label>Code that your device shows<input name="user_code" value="${code}" autocomplete="off" required autofocus></label>
<button>Continue</button>
</form>`,
  }
}

/** Asks whether it is really their device: whoever sends a link with a code would be let in. */
export function deviceConfirmPage({ action, xsrf, code }: DeviceForm, client: string): Page {
  return {
    title: 'Is this your device?',
    content: html`<p><strong>${client}</strong> shows this code:</p>
<p><code>${code}</code></p>
<p class="warning">Continue only if you see this code on your own device and requested it there.</p>
<form method="post" action="${action}">
<input type="hidden" name="xsrf" value="${xsrf}">
<input type="hidden" name="user_code" value="${code}">
<button name="confirm" value="yes">It is mine</button>
<button class="other" name="abort" value="yes">It is not</button>
</form>`,
  }
}

export const DEVICE_DONE: Page = {
  title: 'Device connected',
  content: html`<p>You can close this page and continue on the device.</p>`,
}
