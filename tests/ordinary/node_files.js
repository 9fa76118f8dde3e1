// Files and folders, by callbacks, promises, streams and at once.
const fs = require('fs'), path = require('path'), os = require('os'), { pipeline } = require('stream/promises')
const main = async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'x-'))
  await fs.promises.writeFile(path.join(folder, 'a'), 'text')
  fs.cpSync(folder, 'copy', { recursive: true })
  await pipeline(fs.createReadStream('copy/a'), fs.createWriteStream('b'))
  fs.copyFileSync('b', 'c'); fs.symlinkSync('c', 'd'); fs.renameSync('c', 'e'); fs.chmodSync('e', 0o600)
  if (fs.readFileSync('e', 'utf8') !== 'text' || fs.readdirSync('.').length < 4) throw new Error('files')
  fs.rmSync(folder, { recursive: true })
  console.log('ok')
}
main()
