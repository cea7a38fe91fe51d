import { build } from 'esbuild'; import { gzipSync } from 'node:zlib';
const m = async (label, contents, external=[]) => { const r = await build({ stdin:{contents, resolveDir:'/work/main', loader:'ts'}, bundle:true, minify:true, format:'esm', platform:'browser', target:'es2022', write:false, metafile:true, splitting:true, outdir:'x', external, logLevel:'error' });
 const outs=r.metafile.outputs; const entry=Object.keys(outs).find(k=>/stdin\.js$/.test(k));
const first=new Set(); const walk=k=>{ if(first.has(k))return; first.add(k); for(const i of outs[k].imports) if(i.kind==='import-statement' && outs[i.path]) walk(i.path); }; walk(entry);
 const texts=r.outputFiles.filter(o=>first.has(Object.keys(outs).find(k=>o.path.endsWith(k)))).map(o=>o.text).join('\n');
 console.log(label, gzipSync(texts,{level:9}).length, texts.length); if (process.argv[2]) { const inp={}; for (const k of first) for (const [p,i] of Object.entries(outs[k].inputs)) inp[p]=(inp[p]??0)+i.bytesInOutput; 
for (const [p,b] of Object.entries(inp).sort((a,b)=>b[1]-a[1]).slice(0,70)) console.log('  ',b,p);} };
await m('shell, no ky', "export { createSession } from './src/browser/create-session.ts'", ['ky']);
await m('shell', "export { createSession } from './src/browser/create-session.ts'");
