import { spawn } from 'node:child_process'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { writeWholeFile } from '../../src/archive/file.js'
import { ConflictError, StorageError } from '../../src/errors.js'
import { freshFolder, root } from '../cli/support.js'

const fill = (text: string) => (into: NodeJS.WritableStream) => pipeline([text], into)

describe('a file that is written whole', () => {
  test('appears with its content, for its owner alone, and leaves nothing beside it', async () => {
    const folder = await freshFolder()
    await writeWholeFile(join(folder, 'a'), false, fill('content'))
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('content')
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['a'])
  })

  test('does not replace another unless forced', async () => {
    const folder = await freshFolder()
    await writeFile(join(folder, 'a'), 'old')
    await expect(writeWholeFile(join(folder, 'a'), false, fill('new'))).rejects.toThrow(ConflictError)
    // Made by somebody else while it was being written.
    const late = writeWholeFile(join(folder, 'b'), false, async (into) => {
      await writeFile(join(folder, 'b'), 'theirs')
      await fill('ours')(into)
    })
    await expect(late).rejects.toThrow(ConflictError)
    expect(await readFile(join(folder, 'b'), 'utf8')).toBe('theirs')
    await writeWholeFile(join(folder, 'a'), true, fill('new'))
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('new')
    expect(await readdir(folder)).toEqual(['a', 'b'])
  })

  test('is not there after a failure, and the old one is', async () => {
    const folder = await freshFolder()
    await writeFile(join(folder, 'a'), 'old')
    const failing = writeWholeFile(join(folder, 'a'), true, async (into) => {
      into.write('half')
      throw new Error('stopped')
    })
    await expect(failing).rejects.toThrow('stopped')
    expect(await readdir(folder)).toEqual(['a'])
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('old')
    await expect(writeWholeFile(join(folder, 'no', 'a'), false, fill('x'))).rejects.toThrow(/its folder does not exist/)
  })

  test('on a full disk is an error that says so, and leaves nothing', async () => {
    const folder = await freshFolder()
    const full = Object.assign(new Error('write'), { code: 'ENOSPC' })
    const failing = writeWholeFile(join(folder, 'a'), false, async () => {
      throw full
    })
    await expect(failing).rejects.toThrow(StorageError)
    await expect(failing).rejects.toThrow('the disk is full')
    expect(await readdir(folder)).toEqual([])
  })

  test('whose writer is killed is not there under its name', async () => {
    const folder = await freshFolder()
    const script = `
      import { writeWholeFile } from './src/archive/file.js'
      await writeWholeFile(${JSON.stringify(join(folder, 'a'))}, false, async (into) => {
        for (;;) {
          await new Promise((done) => into.write('x'.repeat(65536), done))
          process.stdout.write('.')
        }
      })`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { cwd: root })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
    expect(await readdir(folder)).toEqual(['a.partial'])
    // Another export must not write into a file that may still be written: it says what to do.
    await expect(writeWholeFile(join(folder, 'a'), false, fill('new'))).rejects.toThrow(/--force/)
    await writeWholeFile(join(folder, 'a'), true, fill('new'))
    expect(await readdir(folder)).toEqual(['a'])
  })
})
