/** Two ways to do the same on a page: with the pointer, and with the keyboard alone. */
import assert from 'node:assert/strict'
import type { Locator, Page } from 'playwright-core'

export interface Hand {
  readonly name: 'pointer' | 'keyboard'
  /** Presses a button, or follows a link. */
  press(target: Locator): Promise<void>
  /** Ticks a box, or takes the tick away. */
  check(box: Locator, isChecked?: boolean): Promise<void>
  fill(field: Locator, text: string): Promise<void>
  /** Chooses the option of a select element that begins with the text. */
  choose(field: Locator, text: string): Promise<void>
  /** Searches in a field with a list below it, and picks the option. */
  pick(field: Locator, option: string): Promise<void>
}

/** Steps with the Tab key until a field is given up. */
const STEPS_MAX = 300

export function pointerOn(page: Page): Hand {
  return {
    name: 'pointer',
    press: (target) => target.click(),
    check: (box, isChecked = true) => box.setChecked(isChecked),
    fill: (field, text) => field.fill(text),
    choose: async (field, text) =>
      void (await field.selectOption(
        (await field.locator('option').allInnerTexts()).find((label) => label.startsWith(text))!,
      )),
    async pick(field, option) {
      await field.click()
      await field.fill(option)
      await page.getByRole('listbox').getByRole('option', { name: option }).first().click()
    },
  }
}

/** No function of this hand moves the focus but by the Tab key. */
export function keyboardOn(page: Page): Hand {
  const tabTo = async (target: Locator): Promise<void> => {
    await target.waitFor()
    for (let step = 0; step < STEPS_MAX; step++) {
      if ((await target.and(page.locator(':focus')).count()) > 0) return
      await page.keyboard.press('Tab')
    }
    assert.fail(`${String(target)} is not reached with the Tab key`)
  }
  return {
    name: 'keyboard',
    async press(target) {
      await tabTo(target)
      await page.keyboard.press('Enter')
    },
    async check(box, isChecked = true) {
      await tabTo(box)
      if ((await box.isChecked()) !== isChecked) await page.keyboard.press('Space')
      assert.equal(await box.isChecked(), isChecked)
    },
    async fill(field, text) {
      await tabTo(field)
      await page.keyboard.press('Control+a')
      await page.keyboard.type(text)
    },
    async choose(field, text) {
      await tabTo(field)
      await page.keyboard.type(text)
      assert.match(await field.locator('option:checked').innerText(), new RegExp(`^${text}`))
    },
    async pick(field, option) {
      await tabTo(field)
      await page.keyboard.type(option)
      const wanted = page.getByRole('listbox').getByRole('option', { name: option }).first()
      await wanted.waitFor()
      await page.waitForLoadState('networkidle')
      for (let step = 0; (await wanted.getAttribute('aria-selected')) !== 'true'; step++) {
        assert.ok(step < STEPS_MAX, `${option} is not reached with the arrow keys`)
        await page.keyboard.press('ArrowDown')
      }
      await page.keyboard.press('Enter')
    },
  }
}
