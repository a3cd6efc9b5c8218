// Load generator for HDFS by its own client, the one that HDFS's users have: files of random bytes are created, read or deleted, some at
// a time. It stays, so that its code is compiled once, and takes a line of work for each line it answers:
//
//     java -cp "$JARS/*" tools/HdfsBench.java hdfs://127.0.0.1:9000
//     create|read|delete DIRECTORY COUNT IN_FLIGHT SIZE_BYTES  →  {"op":"create","ok":20,"errors":0,"secs":0.120,"first_error":""}
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.URI;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

class HdfsBench {
  /** The same bytes again and again: neither the disk nor HDFS looks for repetition. */
  private static final byte[] RANDOM = new byte[1 << 20];

  public static void main(String[] args) throws Exception {
    new Random(1).nextBytes(RANDOM);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    try (FileSystem files = FileSystem.get(URI.create(args[0]), new Configuration())) {
      for (String line; (line = lines.readLine()) != null; ) System.out.println(answer(files, line.split(" ")));
    }
  }

  /** The first failure ends no other file; all of them are counted. */
  private static String answer(FileSystem files, String[] work) throws Exception {
    String op = work[0];
    Path directory = new Path(work[1]);
    int count = Integer.parseInt(work[2]);
    int inFlight = Integer.parseInt(work[3]);
    long sizeBytes = Long.parseLong(work[4]);
    AtomicInteger next = new AtomicInteger();
    Callable<List<String>> lane = () -> {
      List<String> errors = new ArrayList<>();
      byte[] buffer = new byte[(int) Math.max(1, Math.min(RANDOM.length, sizeBytes))];
      for (int index; (index = next.getAndIncrement()) < count; ) {
        try {
          one(files, op, new Path(directory, String.format("file-%06d", index)), sizeBytes, buffer);
        } catch (IOException error) {
          errors.add(error.toString());
        }
      }
      return errors;
    };
    ExecutorService lanes = Executors.newFixedThreadPool(inFlight);
    List<String> errors = new ArrayList<>();
    long start = System.nanoTime();
    for (Future<List<String>> done : lanes.invokeAll(Collections.nCopies(inFlight, lane))) errors.addAll(done.get());
    double seconds = (System.nanoTime() - start) / 1e9;
    lanes.shutdown();
    String first = errors.isEmpty() ? "" : errors.get(0).replaceAll("[\"\\\\\\p{Cntrl}]", " ");
    return String.format(
        Locale.ROOT,
        "{\"op\":\"%s\",\"ok\":%d,\"errors\":%d,\"secs\":%.6f,\"first_error\":\"%s\"}",
        op, count - errors.size(), errors.size(), seconds, first);
  }

  private static void one(FileSystem files, String op, Path path, long sizeBytes, byte[] buffer) throws IOException {
    switch (op) {
      case "create":
        try (OutputStream out = files.create(path, false)) {
          for (long left = sizeBytes; left > 0; left -= RANDOM.length) {
            out.write(RANDOM, 0, (int) Math.min(left, RANDOM.length));
          }
        }
        return;
      case "read":
        long length = 0;
        try (InputStream in = files.open(path)) {
          for (int got; (got = in.read(buffer)) >= 0; ) length += got;
        }
        if (length != sizeBytes) throw new IOException(path + " came back with " + length + " bytes");
        return;
      case "delete":
        if (!files.delete(path, false)) throw new IOException(path + " is not there");
        return;
      default:
        throw new IOException("there is no operation " + op);
    }
  }
}
