// Kafka's own clients, measured without the start of the JVM: everything is done once before to have it compiled.
//
// Peer produce BROKERS WARM-TOPIC TOPIC RECORDS FILE CODEC SETTING=VALUE...
// Peer consume BROKERS TOPIC RECORDS SETTING=VALUE...
// Peer receive BROKERS TOPIC RECORDS SETTING=VALUE...
//
// The last line that it prints is the CPU seconds (user and system, all threads) and the seconds, as JSON.

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.tools.ConsumerPerformance;
import org.apache.kafka.tools.ProducerPerformance;

public final class Peer {
    private static final com.sun.management.OperatingSystemMXBean SYSTEM =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final JsonFactory JSON = new JsonFactory();

    public static void main(String[] words) throws Exception {
        List<String> args = Arrays.asList(words);
        switch (args.get(0)) {
            case "produce" -> produce(args.subList(1, args.size()));
            case "consume" -> consume(args.subList(1, args.size()));
            case "receive" -> receive(args.subList(1, args.size()));
            default -> throw new IllegalArgumentException(args.get(0));
        }
    }

    /// Reading the file and connecting is what sending a single record costs, which is taken away.
    private static void produce(List<String> args) throws Exception {
        String warmTopic = args.get(1), topic = args.get(2), records = args.get(3);
        send(args, warmTopic, records);
        Spent all = new Spent();
        send(args, topic, records);
        all.stop();
        Spent single = new Spent();
        send(args, warmTopic, "1");
        single.stop();
        report(all.cpu - single.cpu, all.wall - single.wall);
    }

    private static void send(List<String> args, String topic, String records) throws Exception {
        List<String> words = new ArrayList<>(List.of(
            "--bootstrap-server", args.get(0), "--topic", topic, "--num-records", records,
            "--throughput", "-1", "--payload-file", args.get(4), "--command-property",
            "compression.type=" + args.get(5)));
        words.addAll(args.subList(6, args.size()));
        ProducerPerformance.main(words.toArray(new String[0]));
    }

    /// Joining the group is part of receiving a single record, which is taken away.
    private static void receive(List<String> args) {
        String records = args.get(2);
        take(args, "-taken-warm", records);
        Spent all = new Spent();
        take(args, "-taken", records);
        all.stop();
        Spent single = new Spent();
        take(args, "-taken-single", "1");
        single.stop();
        report(all.cpu - single.cpu, all.wall - single.wall);
    }

    private static void take(List<String> args, String suffix, String records) {
        String topic = args.get(1);
        List<String> words = new ArrayList<>(List.of(
            "--bootstrap-server", args.get(0), "--topic", topic, "--group", topic + suffix,
            "--num-records", records));
        for (String setting : args.subList(3, args.size())) {
            words.addAll(List.of("--command-property", setting));
        }
        ConsumerPerformance.main(words.toArray(new String[0]));
    }

    private static void consume(List<String> args) throws IOException {
        read(args, "-warm");
        Spent spent = read(args, "");
        report(spent.cpu, spent.wall);
    }

    private static Spent read(List<String> args, String suffix) throws IOException {
        String topic = args.get(1);
        long records = Long.parseLong(args.get(2)), seen = 0;
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args.get(0));
        settings.put("group.id", topic + suffix);
        for (String setting : args.subList(3, args.size())) {
            String[] pair = setting.split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        ByteArrayDeserializer bytes = new ByteArrayDeserializer();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
            consumer.subscribe(List.of(topic));
            Spent spent = new Spent();
            long last = System.nanoTime();
            while (seen < records) {
                long before = seen;
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    check(record.value());
                    seen++;
                }
                long now = System.nanoTime();
                if (seen > before) {
                    last = now;
                } else if (now - last > PATIENCE.toNanos()) {
                    throw new IllegalStateException("nothing more came after " + seen + " records");
                }
            }
            spent.stop();
            return spent;
        }
    }

    private static void check(byte[] record) throws IOException {
        try (JsonParser parser = JSON.createParser(record)) {
            while (parser.nextToken() != null) {
                // Tokens alone: nothing is made of them.
            }
        }
    }

    private static void report(double cpu, double wall) {
        System.out.println();
        System.out.printf(java.util.Locale.ROOT, "{\"cpuSeconds\":%.6f,\"wallSeconds\":%.6f}%n", cpu, wall);
    }

    /// What passed since it was made, once it is stopped.
    private static final class Spent {
        private double cpu = -SYSTEM.getProcessCpuTime() / 1e9;
        private double wall = -System.nanoTime() / 1e9;

        private void stop() {
            cpu += SYSTEM.getProcessCpuTime() / 1e9;
            wall += System.nanoTime() / 1e9;
        }
    }
}
